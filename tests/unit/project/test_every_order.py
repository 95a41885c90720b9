"""The orders in which the harness plays two actors: all that can differ, and each of them once."""

from harness.interleaving import Turns, every_order


async def outcomes(*, knows_what_reads: bool) -> tuple[int, set[tuple[int, ...]]]:
    """How many orders were played of two actors that share three values, and what they found and left."""
    orders, found = 0, set()
    for choose in every_order():
        shared, seen, turns = {"a": 0, "b": 0, "n": 0}, dict[str, int](), Turns()

        async def act(
            name: str,
            other: str,
            shared: dict[str, int] = shared,
            seen: dict[str, int] = seen,
            turns: Turns = turns,
        ) -> None:
            for step in range(2):
                await turns.mine(name, reads=knows_what_reads)
                seen[f"{name}{step}"] = shared[other] * 10 + shared["n"]
            await turns.mine(name)
            shared[name] += 1
            shared["n"] = shared["n"] * 2 + 1
            await turns.mine(name, reads=knows_what_reads)
            seen[f"{name} again"] = shared[other] * 10 + shared["n"]

        await turns.play(choose, a=act("a", "b"), b=act("b", "a"))
        found.add((*(value for _, value in sorted(seen.items())), *shared.values()))
        orders += 1
    return orders, found


async def test_orders_that_differ_only_in_neighbouring_reads_are_played_once_and_no_outcome_is_missed() -> (
    None
):
    every, all_outcomes = await outcomes(knows_what_reads=False)
    fewer, same_outcomes = await outcomes(knows_what_reads=True)
    assert every == 70
    assert fewer < every / 3
    assert same_outcomes == all_outcomes
