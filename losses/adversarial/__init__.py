"""Adversarial forms: every file beside this one is a form (`--loss NAME`)."""

from losses.core.adversarial import Adversarial as Adversarial
from losses.core.adversarial import Labelled as Labelled
