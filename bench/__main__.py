"""Print the table of what is measured here."""

from __future__ import annotations

import platform

from bench import assigning, clearing, hearing, minute, placing, rezoning, zones


def main() -> None:
    print(f"CPython {platform.python_version()}, {platform.machine()}, process CPU, medians of 5\n")
    alone = placing.without_aws()
    canned = placing.with_canned_replies()
    start = placing.first_answer()
    rows = [
        ("place an order, without AWS", f"{alone:.3f} ms", "≤ 0.1 ms", "0.57 ms"),
        ("place an order, canned AWS replies", f"{canned:.2f} ms", "≤ 0.9 ms", "2.4 ms"),
        ("process start to first answer", f"{start['answer_ms']:.0f} ms", "≤ 300 ms", "607 ms"),
        ("modules after `import app`", f"{start['modules']:.0f}", "≤ 260", "765"),
    ]
    print(f"{'work':38}{'here, now':>14}{'to reach':>12}{'peer *':>10}")
    for name, ours, goal, peer in rows:
        print(f"{name:38}{ours:>14}{goal:>12}{peer:>10}")
    _hearing()
    print(f"\n{'new rules, CPU of one process':48}{'here, now':>16}{'to reach':>12}")
    for name, ours, goal in rezoning.measured():
        print(f"{name:48}{ours:>16}{goal:>12}")
    print(f"\n{'a city, planned anew':58}{'here, now':>16}{'to reach':>12}")
    for name, ours, goal in minute.measured():
        print(f"{name:58}{ours:>16}{goal:>12}")
    _zones()
    _assigning(_clearing())
    print(
        "\n* aws-lambda-handler-cookbook, as measured on another day on a machine of the same kind;\n"
        "  not run here: compare orders of magnitude, not digits."
    )


def _hearing() -> None:
    print(
        f"\n{'a callback taken, without AWS':38}{'bytes':>8}{'here, now':>14}{'to reach':>12}{'its dialect':>14}"
    )
    for cost in hearing.measured():
        ours, alone = f"{cost.whole_ms:.3f} ms", f"{cost.dialect_ms:.3f} ms"
        print(f"{cost.courier:38}{cost.body_bytes:>8}{ours:>14}{'<= 1 ms':>12}{alone:>14}")
    name = "the partners', by Standard Webhooks' own library"
    print(f"{name:72}{hearing.library_ms():>11.3f} ms")


def _zones() -> None:
    found = zones.measured()
    print(f"\n{'20,000 compounds':48}{'here, now':>16}{'to reach':>12}{'shapely':>12}")
    peer = f"{found.shapely_us:.1f} us"
    wanted = f"<= {found.shapely_us / 1.9:.1f} us"
    rows = [
        ("read the snapshot, CPU", f"{found.load_ms:.0f} ms", "< 300 ms", ""),
        ("  the process grows at most by", f"{found.load_mb:.1f} MB", "< 20 MB", ""),
        ("  its rows, compressed", f"{found.row_mb:.1f} MB", "", ""),
        ("which zones cover a point", f"{found.look_up_us:.1f} us", wanted, peer),
        ("  times as fast", f"{found.shapely_us / found.look_up_us:.1f}", ">= 1.9", "1"),
        ("  the first time, outlines being unfolded", f"{found.first_us:.1f} us", "", ""),
        (
            "corners and middles of edges that are covered",
            f"{found.on_edge:.1%}",
            "100 %",
            f"{found.shapely_on_edge:.1%}",
        ),
    ]
    for name, ours, goal, theirs in rows:
        print(f"{name:48}{ours:>16}{goal:>12}{theirs:>12}")
    print(f"{found.source}; {found.hits:,} hits, {found.differing} points not the same")


def _clearing() -> clearing.Cleared:
    found = clearing.clear(clearing.city())
    name = f"{clearing.ORDERS:,} orders against {clearing.SLOTS:,} slots, CPU"
    print(f"\n{name:48}{'here, now':>16}{'to reach':>12}")
    rows = [
        ("cleared, all in all", f"{found.seconds:.1f} s", "< 5 s"),
        ("  every address looked up", f"{found.surveyed_s:.1f} s", ""),
        ("  every pair answered, with every reason", f"{found.answered_s:.1f} s", ""),
        ("  the feasible pairs and their costs, as a problem", f"{found.paired_s:.1f} s", ""),
        ("feasible pairs", f"{found.pairs:,}", "1,250,000"),
        ("one pair, asked alone", f"{found.a_pair_us:.1f} us", ""),
    ]
    for name, ours, goal in rows:
        print(f"{name:48}{ours:>16}{goal:>12}")
    return found


def _assigning(cleared: clearing.Cleared) -> None:
    name = f"a plan with its proof, CPU, medians of {assigning.ROUNDS}"
    print(f"\n{name:48}{'here, now':>16}{'to reach':>12}{'OR-Tools':>12}")
    for name, ours, goal, peer in assigning.measured(cleared.problem, cleared.seconds):
        print(f"{name:48}{ours:>16}{goal:>12}{peer:>12}")
    print(
        "OR-Tools: `solve()` alone, of the same arcs with the same weights; no order's slot is read, nothing is proven"
    )


if __name__ == "__main__":
    main()
