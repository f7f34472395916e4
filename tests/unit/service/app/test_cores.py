"""The number of cores, from cgroup versions 1 and 2."""

from pathlib import Path

from regard_service.app.cores import cgroup_cores, cpu_limit


def test_cores_come_from_the_cgroup(tmp_path: Path) -> None:
    assert cgroup_cores(tmp_path) == float("inf")
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("250000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cgroup_cores(tmp_path) == 2.5
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert cgroup_cores(tmp_path) == float("inf")
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert cgroup_cores(tmp_path) == 1.5
    assert cpu_limit() >= 1
