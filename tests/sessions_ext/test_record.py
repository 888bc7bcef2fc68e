"""Two copies of a session that went different ways, and what is made of them."""

from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from sessions_ext.envelope import is_removal, removal, stamp_of
from sessions_ext.record import FORGET_REMOVALS, Record, next_version, now_ms

NAMES = [bytes((number,)) * 12 for number in range(4)]
STAMPS = st.integers(1, 6)  # few, so that copies meet with the same


@st.composite
def records(draw: st.DrawFn) -> Record:
    """As the engine writes them: no attribute is newer than its session."""
    fields = {
        name: removal(draw(STAMPS)) + draw(st.sampled_from([b"", b"sealed", b"sealed too"]))
        for name in draw(st.sets(st.sampled_from(NAMES)))
    }
    newest = max(map(stamp_of, fields.values()), default=1)
    return Record(
        version=draw(st.integers(newest, 7)),
        expires_at=draw(st.integers(1, 9)),
        direct=draw(st.integers(0, 7)),
        fields=fields,
    )


@given(records(), records())
def test_whichever_copy_is_merged_into_the_other_the_content_is_the_same(
    one: Record, other: Record
) -> None:
    merged, reversed_ = one.merged(other), other.merged(one)

    assert merged.fields == reversed_.fields
    assert merged.expires_at == reversed_.expires_at
    assert merged.direct == reversed_.direct


@given(records(), records())
def test_merging_again_changes_nothing(one: Record, other: Record) -> None:
    merged = one.merged(other)

    assert one.merged(one) == one
    assert merged.merged(other) == merged
    assert merged.merged(one) == merged


@given(records(), records(), records())
def test_three_copies_are_merged_in_any_order(one: Record, two: Record, three: Record) -> None:
    assert one.merged(two).merged(three).fields == one.merged(two.merged(three)).fields


@given(records(), records())
@examples(max_examples=300)
def test_the_later_write_of_each_attribute_is_kept(one: Record, other: Record) -> None:
    merged = one.merged(other)

    assert merged.fields.keys() == one.fields.keys() | other.fields.keys()
    for name, sealed in merged.fields.items():
        written = [copy.fields[name] for copy in (one, other) if name in copy.fields]
        assert sealed in written
        assert stamp_of(sealed) == max(map(stamp_of, written))


@given(records(), records())
def test_a_copy_that_got_something_is_newer_than_both(one: Record, other: Record) -> None:
    """So nobody takes either of them for the merged one."""
    merged = one.merged(other)

    for copy in (one, other):
        assert merged.version >= copy.version
        if merged.version == copy.version:
            assert merged.fields == copy.fields


@given(STAMPS, STAMPS)
def test_a_removal_and_a_write_are_told_apart_by_their_stamps(removed: int, written: int) -> None:
    name = NAMES[0]
    gone = Record(version=9, expires_at=1, fields={name: removal(removed)})
    there = Record(version=9, expires_at=1, fields={name: removal(written) + b"sealed"})

    merged = gone.merged(there)

    if removed != written:
        assert is_removal(merged.fields[name]) == (removed > written)
    assert merged.fields == there.merged(gone).fields


def test_a_removal_is_forgotten_when_copies_cannot_be_apart_any_more() -> None:
    now = now_ms()
    old, young = now - FORGET_REMOVALS - 1, now - FORGET_REMOVALS + 1000
    fields = {
        NAMES[0]: removal(old),
        NAMES[1]: removal(young),
        NAMES[2]: removal(old) + b"sealed",
    }

    assert Record(now, now, fields=fields).forgettable(now) == [NAMES[0]]


@given(st.lists(st.integers(0, 2**50), min_size=1, max_size=4))
def test_a_version_is_above_everything_seen(seen: list[int]) -> None:
    assert next_version(*seen) > max(seen)
