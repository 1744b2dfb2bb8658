"""What the nodes made of a recording's images, from the bag of their topics, by the image's stamp."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.messages.hands import msg_to_estimates, msg_to_keypoints
from hand_recon_ros.messages.stamps import to_ns
from hand_recon_ros.types import HandEstimate, HandKeypoints


@dataclass(frozen=True)
class RecordedHands:
    """meshes, keypoints: hands by stamp; a stamp is missing where nothing was published. latencies_s: seconds from the
    image to its meshes, by stamp. method: how the meshes were made, 'none' when there are none.
    """
    meshes: dict[int, list[HandEstimate]]
    keypoints: dict[int, list[HandKeypoints]]
    latencies_s: dict[int, float]
    method: str

    @classmethod
    def read(cls, path: Path, mesh_topic: str, keypoint_topic: str) -> RecordedHands:
        """Both topics of a recording; one that it does not hold is taken for silent."""
        meshes, keypoints, latencies_s, method = {}, {}, {}, 'none'
        with BagReader(path) as bag:
            known = [topic for topic in (mesh_topic, keypoint_topic) if topic in bag.topics]
            for topic, _, message in bag.messages(known) if known else ():
                stamp_ns = to_ns(message.header.stamp)
                if topic == mesh_topic:
                    meshes[stamp_ns], method = msg_to_estimates(message), message.method
                    latencies_s[stamp_ns] = message.total_latency_s
                else:
                    keypoints[stamp_ns] = msg_to_keypoints(message)
        return cls(meshes, keypoints, latencies_s, method)
