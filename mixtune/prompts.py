"""Texts that are put before queries and documents."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prompts:
    """What is put before each query and before each document (positives, negatives, corpus), as it stands.

    Models such as E5 (arXiv 2212.03533, "query: " and "passage: ") are trained with prompts. The prompt's tokens count
    towards the model's length limit and are part of what is pooled, the default of sentence-transformers.
    """

    query: str = ""
    document: str = ""
