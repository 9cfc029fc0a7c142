"""What every courier file has to keep, sentence by sentence: asked by pytest of each file in the folder, and by
`make courier` of one, with a verdict that can be read.
"""

from tests.couriers.contract import the_file, proof, junk, meaning, order, asking, answers, people  # noqa: F401, I001
from tests.couriers.contract.clause import CLAUSES

__all__ = ["CLAUSES"]
