"""The table of what may follow what."""

from prosody_admin.protocol.states import TRANSITIONS, State, Step


def test_every_state_has_a_row_and_is_reached() -> None:
    assert set(TRANSITIONS) == set(State)
    reached = {after for row in TRANSITIONS.values() for after in row.values()}
    assert reached | {State.START} == set(State)


def test_what_has_ended_takes_no_step() -> None:
    ended = {state for state, row in TRANSITIONS.items() if not row}
    assert ended == {State.CLOSED, State.FAILED}


def test_what_has_not_ended_can_fail_and_can_lose_its_peer() -> None:
    for state, row in TRANSITIONS.items():
        if row:
            assert row[Step.ERROR] is State.FAILED
            assert Step.RECEIVE_EOF in row, state


def test_stanzas_move_nothing() -> None:
    for state, row in TRANSITIONS.items():
        for step in (Step.SEND_STANZA, Step.RECEIVE_STANZA):
            assert row.get(step, state) is state
