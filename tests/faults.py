"""The table of faults, and what comes of each, in the template's docs."""

import re
from collections.abc import Iterable
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs/faults.md"
BEGIN = "<!-- Written by the template's tests. -->\n"
END = "<!-- The end of what they wrote. -->\n"

Row = tuple[str, str]

# Which test of the template tries each fault; it tells what came of it by `report`.
REPORTED = {
    "10,000 cookies are forged": "test_forged_cookies_never_reach_redis",
    "20,000 requests are nonsense": "test_no_request_of_20000_brings_it_down",
    "50,000 new visitors come at once, kept in Redis": "test_a_flood_takes_the_memory_that_is_documented_and_no_count[Redis]",
    "50,000 new visitors come at once, kept in memory": "test_a_flood_takes_the_memory_that_is_documented_and_no_count[memory]",
    "Redis never answers": "test_pages_without_a_session_stay_quick_and_the_others_fail_soon[Redis never answers]",
    "packets to Redis are lost": "test_pages_without_a_session_stay_quick_and_the_others_fail_soon[packets to Redis are lost]",
    "Sentinel names a new master": "test_counting_goes_on_after_a_sentinel_failover",
    "Sentinel is told to make the replica the master": "test_a_master_that_became_a_replica_is_left_for_the_new_one",
    "a master sleeps until it is replaced": "test_no_count_goes_back_when_a_master_sleeps_until_it_is_replaced",
    "two of three Sentinels hang, then all": "test_sentinels_that_are_away_are_not_noticed_while_the_master_is_well",
    "all Sentinels hang before the start": "test_sentinels_that_all_hang_at_the_start_cost_no_more_than_one_server",
    "a server of a Cluster hangs": "test_a_server_of_a_cluster_that_hangs_is_noticed_by_its_visitors_only",
    "a server of a Cluster is killed": "test_a_server_of_a_cluster_that_is_killed_is_two_lines_in_the_log",
    "all servers of a Cluster hang": "test_all_servers_of_a_cluster_hang",
    "some slots of a Cluster are away, and it requires all (CLUSTERDOWN)": "test_a_cluster_that_wants_all_slots_is_away_until_they_are_served_again",
    "a replica of a Cluster is promoted": "test_a_promoted_replica_takes_over",
    "a server joins a Cluster": "test_a_server_that_joins_a_cluster_is_used_without_a_restart",
    "some slots of a Cluster are away, and it does not require all": "test_a_slot_that_nobody_holds_concerns_only_the_sessions_in_it",
    "a process starts while a server of a Cluster hangs": "test_a_process_that_starts_while_a_server_hangs_serves_all_others",
    "a Cluster's address in `REDIS_URL` is out of date": "test_an_address_of_a_cluster_where_nobody_is_does_no_harm",
    "slots of a Cluster move": "test_counts_stay_exact_while_slots_of_a_cluster_move",
    "a worker is killed": "test_the_others_go_on_and_a_new_one_comes[killed]",
    "a worker hangs (--timeout 2)": "test_the_others_go_on_and_a_new_one_comes[hangs]",
    "instances are restarted in turn, under load": "test_rolling_restarts_lose_no_request_and_no_count",
    "the disk is full for the log": "test_a_full_disk_for_the_log_costs_no_visit",
}

# What the app's own tests show, in tests/sessions and beside it, and which of them does.
IN_THE_APP = {
    "Redis is killed under load": (
        "503 at once, then on; no count lost (AOF) or doubled",
        "test_no_acknowledged_count_is_lost_or_doubled_when_redis_is_killed",
    ),
    "Redis is out of memory or read-only": (
        "503 where it has to write; logged once",
        "test_a_redis_that_refuses_to_write_is_logged_once_and_recovers",
    ),
    "Redis is still loading": (
        "503 until it has loaded",
        "test_whatever_redis_says_a_count_is_sent_once",
    ),
    "Redis is slow": (
        "it is waited for, 1 s at most",
        "test_a_slow_redis_is_waited_for",
    ),
    "Redis forgets everything": (
        "everybody starts anew, under new ids",
        "test_an_emptied_redis_starts_everybody_anew",
    ),
    "Redis forgets its scripts": (
        "nothing",
        "test_redis_learns_its_scripts_again_after_script_flush",
    ),
    "Redis' password is changed": (
        "503 until `REDIS_URL` has the new one",
        "test_a_changed_password_is_an_outage_until_it_is_known",
    ),
    "Redis has too many clients": (
        "503 until there is room",
        "test_too_many_clients_are_an_outage_until_one_leaves",
    ),
    "Redis holds something else under a session's key": (
        "the session counts as absent; logged once",
        "test_redis_counts_a_record_of_the_wrong_type_as_absent",
    ),
    "a value in Redis cannot be read": (
        "it counts as absent, and the others stay; logged once",
        "test_a_value_that_cannot_be_read_counts_as_absent_and_harms_no_other",
    ),
    "an answer of Redis is cut short": (
        "503 for that request; it is not sent again",
        "test_whatever_redis_says_a_count_is_sent_once",
    ),
    "a connection has idled too long": (
        "nothing: another one is opened",
        "test_connections_that_redis_has_closed_are_replaced",
    ),
    "a firewall forgets idle connections": (
        "503 for one request, after 1 s",
        "test_idle_connections_that_were_swallowed_cost_one_time_out",
    ),
    "40 clients send a byte at a time": (
        "nothing: a request gets a place once it is complete",
        "test_slow_clients_do_not_delay_others",
    ),
    "the app is killed": (
        "the count goes on when it is started again",
        "test_the_count_goes_on_after_a_crash",
    ),
    "the clock is set back by an hour": (
        "nothing",
        "test_survives_a_clock_that_is_set_back",
    ),
}


def table(rows: Iterable[Row]) -> str:
    """Return the rows as Markdown, sorted."""
    lines = [f"| {fault} | {outcome} |" for fault, outcome in sorted(rows)]
    return "\n".join(["| when … | … then |", "|---|---|", *lines])


def rows() -> dict[str, str]:
    """Return what the page says of each fault."""
    text = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    return dict(re.findall(r"^\| (.+?) \| (.+?) \|$", text, re.MULTILINE)[1:])


def write(rows: Iterable[Row]) -> None:
    """Put the rows, and those of the app's own tests, between the two marks."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    own = ((fault, outcome) for fault, (outcome, _) in IN_THE_APP.items())
    new = table([*rows, *own])
    PAGE.write_text(f"{before}{BEGIN}{new}\n{END}{after}")
