"""Train the bundled recogniser: `python -m models.train --seed 1 --minutes 245`.

Writes RUN/checkpoint.pt every minute, resumes from it, and exports RUN/model at the end. The
learning rate follows the share of the minutes spent, so that its decay ends in time on any
machine.
"""

import argparse
from pathlib import Path

import torch.multiprocessing

from models.train.export import export
from models.train.trainer import Plan, train


def _plan() -> Plan:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=245.0)
    parser.add_argument("--max-steps", type=int, default=10**9)
    parser.add_argument("--processes", type=int, default=2, help="one for each CPU core")
    parser.add_argument("--adam-only", action="store_true", help="AdamW for every parameter")
    parser.add_argument(
        "--run", type=Path, default=Path("out/train"), help="folder of the checkpoint"
    )
    return Plan(**vars(parser.parse_args()))


if __name__ == "__main__":
    plan = _plan()
    (plan.run / "meeting").unlink(missing_ok=True)
    torch.multiprocessing.spawn(train, (plan,), nprocs=plan.processes)
    export(plan.run / "checkpoint.pt", plan.run / "model")
