"""Short recordings for tests: the first images of the bundled one, with some of its topics."""
from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.bags.writer import BagWriter
from hand_recon_ros.commands.demo import RECORDING

IMAGE, INFO, TRUTH = '/camera/image_raw/compressed', '/camera/camera_info', '/ground_truth/hands/mesh'


def sliced(path, frames, topics=(IMAGE, INFO, TRUTH), first=0):
    """Write `frames` frames of the bundled recording, from `first` on, to a recording at `path`."""
    seen = dict.fromkeys(topics, 0)
    with BagReader(RECORDING) as bag, BagWriter(path) as out:
        for topic, stamp_ns, message in bag.messages(topics):
            if first <= seen[topic] < first + frames:
                out.write(topic, message, stamp_ns)
            seen[topic] += 1
    return path
