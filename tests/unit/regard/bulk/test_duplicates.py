"""Names that occurred before."""

from regard.bulk.duplicates import MAX_ADDED, SeenIds


def test_names_are_new_once_within_a_call_and_over_calls() -> None:
    with SeenIds() as seen:
        assert seen.add([]) == []
        assert seen.add(["a", "b", "a"]) == [True, True, False]
        assert seen.add(["b", "c", "c", "d"]) == [False, True, False, True]
        many = [f"n{number}" for number in range(MAX_ADDED)]
        assert all(seen.add(many))
        assert not any(seen.add(many))
