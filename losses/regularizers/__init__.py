"""Regularizers: every file beside this one is a regularizer (`--NAME STRENGTH`)."""

from losses.core.regularizer import Constraint as Constraint
from losses.core.regularizer import Regularizer as Regularizer
from losses.core.regularizer import Relabel as Relabel
from losses.core.regularizer import Term as Term
from losses.core.regularizer import View as View
