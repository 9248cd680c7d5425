"""The main promise through the real MultiLangDaemon: each record counts once, whatever stops or dies.

The tests run in order on one instance, as a first start on an empty lease table takes the KCL up to a minute.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from kcl_flowlog.demo.embedded_aws import EmbeddedAWS
from kcl_flowlog.demo.tally import SeriesKey, Sums, Tally, add_up
from kcl_flowlog.demo.world import World
from tests.support.instance import PAGE_TIMEOUT, living
from tests.support.pipeline_stack import KEY, deploy, put_flow_record
from tests.support.scenario import Scenario, new_scenario
from tests.support.waiting import eventually

pytestmark = pytest.mark.daemon


SUBSCRIBING_AWS = (sys.executable, "-m", "tests.support.subscribing_aws")


def stream_of_stack(aws: EmbeddedAWS, world: World) -> World:
    """Deploy the pipeline for another VPC, and let all traffic go to its stream."""
    vpc_id = aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    outputs = deploy(aws.client, VpcId=vpc_id, StreamName="flows-of-stack", ShardCount="2", KmsKeyArn=KEY)
    return replace(world, stream=outputs["StreamName"])


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    directory = tmp_path_factory.mktemp("real")
    with new_scenario(directory, ("--log-deny",), argv=SUBSCRIBING_AWS, prepare=stream_of_stack) as scenario:
        scenario.instance.start()
        yield scenario


def test_every_record_is_counted(scenario: Scenario) -> None:
    """Records put before and after the first lease show in /metrics exactly, series by series."""
    scenario.put(2000)
    scenario.wait_for_shards()
    scenario.put(3000)

    scenario.verify_counts()


def test_a_record_on_the_log_group_of_the_stack_is_counted(scenario: Scenario) -> None:
    """Of the pipeline as deploy/cloudformation makes it: by its subscription, its stream and its flow log's format."""
    (flow_log,) = [
        each
        for each in scenario.aws.client("ec2").describe_flow_logs()["FlowLogs"]
        if each["LogGroupName"] == "/vpc/flow-logs"
    ]
    ec2 = scenario.aws.client("ec2")
    subnet = ec2.create_subnet(VpcId=flow_log["ResourceId"], CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    key = SeriesKey(subnet, "egress", "accept", "tcp", "internet")
    scenario.truths.append(Tally({key: Sums(1, 1, 40)}, Counter(counted=1), Counter(data=1)))

    put_flow_record(scenario.aws.client, flow_log["LogGroupName"], flow_log["ResourceId"], subnet)

    scenario.verify_counts()


def test_a_stop_under_load_loses_nothing(scenario: Scenario) -> None:
    """SIGTERM ends with exit code 0 and leaves no process; the next start continues from the checkpoint.

    It is ready once it has read from both shards again.
    """
    with scenario.putting() as producer:
        scenario.wait_for_more_flows()
        processes = scenario.instance.processes()

        code = scenario.instance.stop()

        assert 0 == code
        assert [] == living(processes)
        put_by_now = producer.tally()
        assert eventually(lambda: put_by_now != producer.tally())
        scenario.instance.start()
        assert eventually(scenario.instance.is_ready, PAGE_TIMEOUT), scenario.instance.log
        page = scenario.instance.page()
        assert page is not None
        assert (2, 2) == (page.shards_held, page.open_shards)
        assert page.lag is not None
        scenario.wait_for_more_flows()

    scenario.verify_counts()


def test_killing_all_processes_at_once_loses_nothing(scenario: Scenario) -> None:
    """SIGKILL of launcher, daemon and processors under load loses no record and counts none twice."""
    with scenario.putting():
        scenario.wait_for_more_flows()

        scenario.instance.kill()

        scenario.instance.start()
        scenario.wait_for_shards()
        scenario.wait_for_more_flows()

    scenario.verify_counts()


def test_the_daemon_ends_when_its_launcher_is_killed(scenario: Scenario) -> None:
    """SIGKILL of the launcher leaves no daemon and no processor that could count beside the next ones."""
    with scenario.putting():
        scenario.wait_for_more_flows()
        _, *others = scenario.instance.processes()

        scenario.instance.kill_launcher()

        assert eventually(lambda: not living(others), PAGE_TIMEOUT)
        scenario.instance.start()
        scenario.wait_for_shards()

    scenario.verify_counts()


def test_a_killed_processor_brings_a_new_daemon(scenario: Scenario) -> None:
    """SIGKILL of one processor ends its daemon; the launcher starts another, and the counts stay exact."""
    with scenario.putting():
        scenario.wait_for_more_flows()

        with scenario.daemon_ends():
            scenario.instance.processors()[0].kill()

        scenario.wait_for_shards()
        scenario.wait_for_more_flows()

    scenario.verify_counts()


def test_every_rejected_flow_is_a_line_on_stdout(scenario: Scenario) -> None:
    """With --log-deny every rejected flow is written at least once, and stdout holds nothing else."""
    denials = [json.loads(line) for line in scenario.instance.stdout.splitlines()]
    rejected = add_up(scenario.truths).sum_where(lambda key: key.action == "reject")
    assert {"reject"} == {denial["event"] for denial in denials}

    # A record that is read again after a death is written again, with another time.
    for denial in denials:
        del denial["time"]
    distinct = {json.dumps(denial, sort_keys=True) for denial in denials}

    assert rejected.flows > 0
    assert rejected.flows == len(distinct)
