"""Starting and stopping the process, and many requests at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import requests

from sandbox.client import COORDINATOR_KEY
from sandbox.running import running_sandbox

KEY = {"Authorization": f"Token {COORDINATOR_KEY}"}


def test_data_survives_a_restart_on_the_same_folder(tmp_path):
    with running_sandbox(tmp_path) as first:
        first.client.seed(oncall={"divisions": [{"id": 1, "name": "Kept"}]})
        first.client.switch({"oncall.page_size": 50})
    with running_sandbox(tmp_path) as second:
        assert [d["name"] for d in second.client.state()["oncall"]["divisions"]] == ["Kept"]
        assert second.client.switches()["oncall.page_size"] == 50


def test_start_and_stop_take_little_time_even_in_a_hanging_request():
    began = time.monotonic()
    with running_sandbox() as running:
        running.client.fault("oncall", "timeout_before", seconds=60)
        with ThreadPoolExecutor(1) as pool:
            hanging = pool.submit(_status, running.oncall_url + "appointments/")
            while not running.client.faults()[0]["hits"]:
                time.sleep(0.01)
            running.client.clear_faults()
            assert hanging.result() is None
    assert time.monotonic() - began < 10


def _status(url):
    try:
        return requests.get(url, headers=KEY, timeout=20).status_code
    except requests.ConnectionError:
        return None


def test_writes_of_many_threads_all_arrive(practice, new_visit):
    def create(number):
        return requests.post(
            practice.oncall_url + "appointments/",
            json=new_visit(title=f"Visit {number}"),
            headers=KEY,
            timeout=30,
        ).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(create, range(64))) == {201}
    assert len(practice.client.state()["oncall"]["appointments"]) == 64
    assert len(practice.client.mails(audience="patient")) == 64
