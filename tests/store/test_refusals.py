from mixtune.store.refusals import no_such_study


def test_a_comparison_of_a_near_name_is_told_before_its_members() -> None:
    members = ["small.scout.0", "small.scout.1"]
    assert "the nearest name is 'small'" in str(no_such_study("smal", members, ["small"]))


def test_where_only_comparisons_are_there_they_are_known() -> None:
    assert "known: 'small'" in str(no_such_study("other", [], ["small"]))
