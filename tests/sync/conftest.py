"""Every test of the centre's rows runs on both databases: a file, and a private PostgreSQL."""

import os
from collections.abc import Iterator

import pytest

from cli.rehearsal import cluster
from cli.rehearsal.cluster import Cluster
from tests.sync import central_world

ON_BOTH = {
    "test_central_commit",
    "test_central_copies",
    "test_central_erasing",
    "test_central_exploding",
    "test_central_history",
    "test_central_keyring",
    "test_central_landing",
    "test_central_losses",
    "test_central_outbox",
    "test_central_people",
    "test_central_quarantine",
    "test_central_revoking",
    "test_central_waves",
    "test_central_work",
}
"""Modules whose centres are made by `central_world.make_centre`."""
ONLY_A_FILE = {
    "test_a_copy_goes_into_either_database",
    "test_nothing_is_put_back_under_a_running_process",
    "test_a_database_of_the_first_schema_is_brought_along",
    "test_a_database_of_another_schema_is_refused",
    "test_every_insert_fits_its_table",
    "test_what_a_unit_names_goes_too",
    "test_who_goes_on_with_a_lost_units_store_is_told_and_speaks_for_it",
    "test_nothing_of_an_erased_patient_is_left_at_the_centre",
    "test_the_database_is_durable_and_owned",
}
"""What is said of SQLite's file alone."""


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """One for the whole session, and for each worker of it; without commits on the disk."""
    if cluster.programs() is None:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("PostgreSQL is not installed here")
    with Cluster() as running:
        yield running


@pytest.fixture(autouse=True)
def centre_database(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where the centres of this test keep what they have."""
    if getattr(request, "param", "") == "postgresql":
        running: Cluster = request.getfixturevalue("postgresql")
        central_world.new_place = running.new_space
    yield
    central_world.new_place = lambda: None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    module = str(getattr(metafunc.module, "__name__", "")).rpartition(".")[2]
    if module in ON_BOTH and metafunc.function.__name__ not in ONLY_A_FILE:
        metafunc.parametrize("centre_database", ["sqlite", "postgresql"], indirect=True)
