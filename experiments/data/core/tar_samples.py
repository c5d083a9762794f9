"""Samples in tar files as WebDataset has them: the members that share a path up to its first dot."""

from collections import defaultdict
from pathlib import Path

from experiments.data.core.arrangement import PHOTO_ENDINGS, SIDE_FILES
from experiments.data.core.tar_index import TarMember, index_tar


def members_by_sample(shard: Path) -> tuple[list[dict[str, TarMember]], list[str]]:
    """Groups the members of a tar file by their paths up to the first dot of the name; by ending in each.

    Of members of one path the last counts, as where a tar file is unpacked.

    Returns the samples, and the paths of members that others replace. Raises ValueError for two members of
    which the endings differ in their case only.
    """
    replaced: list[str] = []
    found: dict[str, dict[str, TarMember]] = defaultdict(dict)
    for member in index_tar(shard):
        folder, slash, name = member.path.rpartition("/")
        stem, _, ending = name.partition(".")
        if stem and ending:
            sample = found[folder + slash + stem]
            other = sample.get(ending.lower(), member)
            if other.path != member.path:
                raise ValueError(
                    f"{other.path} and {member.path} in {shard} are two members of a sample with one ending: "
                    "rename one of them"
                )
            if ending.lower() in sample:
                replaced.append(member.path)
            sample[ending.lower()] = member
    return list(found.values()), replaced


def main_path(sample: dict[str, TarMember]) -> str:
    """The path of a member of a sample without an image: a photo if there is one; empty for side files."""
    paths = [member.path for member in sample.values()]
    photos = [path for path in paths if path.lower().endswith(PHOTO_ENDINGS)]
    others = [path for path in paths if path.rpartition("/")[2] not in SIDE_FILES]
    return (*photos, *others, "")[0]
