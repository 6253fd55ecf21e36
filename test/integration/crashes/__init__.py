"""What dies, what is missed, what comes late: the whole controller against a real API server.

etcd and kube-apiserver are real and on loopback (../kube/control_plane.py), so is the executor with its
games. Scripted are the kubelet and the Job controller (kubelet.py) and the agents' own servers
(executor.py): one walk over all fault points is some hundred runs of a whole arena, which with real
containers, builds and scans would take hours. The same faults with everything real are in test/e2e.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE.parent / "kube"), str(ROOT / "test" / "support"), str(ROOT / "executor")]
