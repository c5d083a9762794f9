"""The device to compute on."""

from experiments.core.errors import UsageError


def resolve_device(device: str) -> str:
    """Resolves "auto" to the best device, and checks that this machine has the one asked for."""
    import torch

    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present[device]:
        raise UsageError(f"--device {device}: this machine has none that PyTorch can use; take --device cpu")
    return device
