"""Starting and ending a node's process: exit code 0 on SIGINT and SIGTERM, 2 when its configuration is refused."""
from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import weakref

import rclpy
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions

from hand_recon_ros.nodes.event_loop import build_executor
from hand_recon_ros.nodes.process_group import follow_parent

CONFIGURATION_REFUSED = 2


def run(node_class, arguments=None) -> int:
    """Run a node until SIGINT or SIGTERM. Call from the main thread; returns the exit code."""
    follow_parent()
    # Our own handlers: rclpy's would shut the context down under a node that has yet to say goodbye.
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    executor = build_executor()
    node = node_class()
    executor.add_node(node)
    node.wake = executor.wake
    # Weak: the signals' thread outlives run(), and a node that lives at the interpreter's end leaves its shared memory
    # (70 MB) in /dev/shm.
    listening = weakref.ref(node)
    _on_signal(lambda: _ask_to_stop(listening()))
    code = 0
    try:
        if node.setting('autostart') and not _start(node):
            code = 0 if node.stop_asked else CONFIGURATION_REFUSED
            node.stop_asked = True
        while not node.stop_asked and rclpy.ok():
            executor.spin_once(timeout_sec=1.0)
    finally:
        ended = _finish(node, executor)
        node = executor = None
        gc.collect()
        rclpy.try_shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    if not ended:
        # A compilation in the worker's thread cannot be interrupted, and the interpreter would wait for it.
        os._exit(code)
    return code


def _start(node) -> bool:
    return (node.trigger_configure() == TransitionCallbackReturn.SUCCESS
            and node.trigger_activate() == TransitionCallbackReturn.SUCCESS)


def _finish(node, executor) -> bool:
    if node.configured:
        # What build() made belongs to the worker's thread, so that is where it is released.
        node.worker.close()
        node.worker.call(node.release)
    ended = node.worker.end(timeout_s=1.0)
    executor.shutdown(timeout_sec=1.0)
    executor.remove_node(node)
    node.destroy_node()
    return ended


def _ask_to_stop(node) -> None:
    if node is None:
        return
    node.stop_asked = True
    # An executor that waits is woken, and spin_once then looks at its time limit and at the flag.
    node.wake()


def _on_signal(action) -> None:
    """Run action() in a thread of its own on SIGINT or SIGTERM: the main thread may be waiting inside rcl."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def wait() -> None:
        while os.read(reading, 1):
            action()
    threading.Thread(target=wait, name='signals', daemon=True).start()
