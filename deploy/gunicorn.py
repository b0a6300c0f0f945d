"""Web server settings: `gunicorn -c deploy/gunicorn.py wsgi:app`.

From the environment: HOST and PORT to listen on, WEB_WORKERS, WEB_THREADS and WEB_AT_ONCE, WEB_MAX_REQUESTS (0: a
process stays), METRICS_PORT (0: no metrics).
"""

import contextlib
import ctypes
import gc
import mmap
import os
import select
import selectors
import shutil
import socket
import struct
import tempfile
import time
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, PollableMethodQueue, ThreadWorker

metrics_port = int(os.environ.get("METRICS_PORT") or 0)
_own_metrics_folder = ""
if metrics_port:
    # The processes keep their counters in files of one folder, which the metrics port adds up. It starts
    # empty: files of an earlier run would be counted again. prometheus_client reads the variable on import.
    _given = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if _given:
        Path(_given).mkdir(parents=True, exist_ok=True)
        for _left in Path(_given).glob("*.db"):
            _left.unlink()
    else:
        _own_metrics_folder = tempfile.mkdtemp(prefix="jiayuan-metrics-")
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = _own_metrics_folder

from app import db, logs, pressure, warm_up  # noqa: E402 - nothing may import prometheus_client before the folder is named
from app.threads import FewAtOnce  # noqa: E402

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"


# How many connections each process holds, plus one, by its number; 0: takes none. Memory that parent and workers share.
_PLACES = 256
_held = memoryview(mmap.mmap(-1, 4 * _PLACES)).cast("I")

# A client that sends nothing, or takes nothing, for so long in the midst of a request has lost its way to us. Seconds
# and microseconds as the kernel takes them: gunicorn itself waits without end.
_SILENT = struct.pack("ll", 20, 0)


# So long somebody who was answered for the last time may take to read it, and so much she may still say meanwhile.
_LAST_S, _LAST_BYTES = 2.0, 1 << 16


class _Calls(PollableMethodQueue):
    """What the threads ask of the loop. Open until the process ends: a thread that finishes later would write into
    whatever has got its number meanwhile.
    """

    def close(self) -> None:
        """Not yet."""


class FairWorker(ThreadWorker):
    """gthread that leaves a new connection to the process that has the fewest.

    All processes wake up for it and the quickest takes it: kept alive, one may hold them all while the other idles. So
    who holds more than another waits for that one. When nobody takes any for 50 ms, it may be stuck: no longer.
    """

    _LOOKS_AGAIN_S, _PATIENCE_S = 0.0005, 0.05
    _count = 0
    _held_then, _waits_since = 0, 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.method_queue = _Calls()
        self._leaving: list[Any] = []  # connections, in the order in which their patience ends

    @property
    def nr_conns(self) -> int:
        """Its connections, which gthread counts; told to the others at each change."""
        return self._count

    @nr_conns.setter
    def nr_conns(self, count: int) -> None:
        self._count = count
        self._tell()

    def _tell(self) -> None:
        _held[self.age % _PLACES] = self._count + 1 if getattr(self, "_accepting", False) else 0

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin or end to take connections."""
        super().set_accept_enabled(enabled)
        self._tell()

    def _cap_keepalive(self, deadline: float) -> None:
        """Called when it ends: connections that never said anything end with those that rest. gthread would hold them
        up to `graceful_timeout`, in which it takes no new one.
        """
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def enqueue_req(self, conn: Any) -> None:
        """Note when a request came, and let nobody who stops in the midst of one hold a thread for ever.

        Who only connects gets no thread before there is something to read: gthread would let one wait for it for five
        seconds, and a handful of such hold up all others.
        """
        conn.came_at = time.monotonic()
        if not conn.initialized:
            if not conn.data_ready and not _says_something(conn.sock):
                patience = self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER
                conn.timeout = conn.came_at + patience
                self.pending_conns.append(conn)
                readable = partial(self.on_pending_socket_readable, conn)
                self.poller.register(conn.sock, selectors.EVENT_READ, readable)
                return
            conn.data_ready = True
            for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                conn.sock.setsockopt(socket.SOL_SOCKET, direction, _SILENT)
        super().enqueue_req(conn)

    def get_thread_pool(self) -> Any:
        """The threads of this process, of which few run at a time."""
        return FewAtOnce(self.cfg.threads, _at_once or (2 if db.is_here() else 4))

    def handle(self, conn: Any) -> Any:
        """In a thread: say how long the request has waited for it."""
        pressure.note_wait(time.monotonic() - conn.came_at)
        return super().handle(conn)

    def run(self) -> None:
        """Until it ends; what has begun is finished, unless it is told to end at once."""
        try:
            super().run()
        except Exception:
            self.tpool.shutdown(wait=True)
            raise
        self.tpool.shutdown(wait=True)

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        """In the loop, after a request. Who was answered for the last time has two seconds to close her end. gthread
        waits for each in the loop itself, and meanwhile nobody else is served.
        """
        if fs.cancelled() or fs.exception() is not None or fs.result():
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._hear_out, conn))
        except (OSError, ValueError):  # she has left already
            self._let_go(conn)
            return
        conn.timeout, conn.may_say = time.monotonic() + _LAST_S, _LAST_BYTES
        self._leaving.append(conn)

    def _hear_out(self, conn: Any, sock: socket.socket) -> None:
        # What she has sent is taken: closed over it, the connection would be reset, and the answer cut off.
        try:
            said = len(sock.recv(_LAST_BYTES))
        except BlockingIOError:
            return
        except OSError:
            said = 0
        conn.may_say -= said
        if not said or conn.may_say <= 0:
            self._leaving.remove(conn)
            self.poller.unregister(sock)
            self._let_go(conn)

    def _let_go(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()

    def murder_keepalived(self, force: bool = False) -> None:
        """In the loop, each second at least: close what has rested, or waited to be closed, for too long."""
        super().murder_keepalived(force)
        now = time.monotonic()
        while self._leaving and (force or self._leaving[0].timeout <= now):
            conn = self._leaving.pop(0)
            self.poller.unregister(conn.sock)
            self._let_go(conn)

    def accept(self, listener: Any) -> None:
        """Take it, unless another should; then it is offered again after what else happened was looked at."""
        if self._count >= min(filter(None, _held), default=1):
            now, held = time.monotonic(), sum(_held)
            if held != self._held_then or now - self._waits_since > 5 * self._PATIENCE_S:
                self._held_then, self._waits_since = held, now
            if now - self._waits_since < self._PATIENCE_S:
                time.sleep(self._LOOKS_AGAIN_S)
                return
        super().accept(listener)


def _says_something(sock: socket.socket) -> bool:
    """Is there anything to read, or nobody any more?"""
    look = select.poll()
    look.register(sock, select.POLLIN)
    return bool(look.poll(0))


worker_class = FairWorker

# One heap for all threads, which keeps what it has: with one each, the copies of every photo that comes in are given
# back and asked for anew, page by page (a quarter of the time the system took for a report). Python lets one thread
# at a time ask for memory anyway. Only glibc knows these.
with contextlib.suppress(AttributeError, OSError):
    _mallopt = ctypes.CDLL(None).mallopt
    for _name, _value in (
        (-8, 1),
        (-3, 32 << 20),
        (-1, 64 << 20),
    ):  # M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
        _mallopt(_name, _value)

# Ordinary blocking code in threads answered as many requests as gevent did. Those that run wait for one another: more
# than two for as long as the database is on the same machine, more than four where its answers take their way, so no
# more do at a time. The others are for what waits, for WeChat or for a client's slow line (app/threads.py).
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))
_at_once = int(os.environ.get("WEB_AT_ONCE", "0"))  # 0: by where the database is
preload_app = True

# After so many requests, and up to a tenth more so that not all do at once, a process ends and a new one takes its
# place: whatever some library leaks doesn't grow for ever. What is under way is answered, with `Connection: close`, and
# so is what still comes on kept connections for two seconds.
max_requests = int(os.environ.get("WEB_MAX_REQUESTS", "50000"))
max_requests_jitter = max_requests // 10

# A process whose loop is stuck for so long is killed. What one request may take is bounded elsewhere: its statements,
# its locks and all of it together (app/timeouts.py), its wait for a connection and for a thread, a silent client, each
# call to somebody outside. On a stop, those that run may finish (a photo upload takes seconds).
timeout = 60
graceful_timeout = 20
# Longer than the idle time of a load balancer's connections costs nothing and saves handshakes.
keepalive = 75

# The longest address is a list with a filter and a cursor, the longest header a bearer token.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190

# Nothing but the requests comes in: no control socket in somebody's home.
control_socket_disable = True
# The heartbeat file belongs into memory: on a slow disk, touching it can block a worker until it is killed.
if Path("/dev/shm").is_dir() and os.access("/dev/shm", os.W_OK):  # noqa: S108 - gunicorn makes a private file
    worker_tmp_dir = "/dev/shm"  # noqa: S108

# The application writes one line a request itself, with its id and without personal data.
accesslog = None
loglevel = os.environ.get("LOG_LEVEL", "info").lower()
logs.configure(loglevel)


class JsonErrors(Logger):
    """gunicorn's own messages, through the application's JSON lines."""

    def setup(self, cfg: Any) -> None:
        """Let the records run up to the root logger instead of printing them here."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


logger_class = JsonErrors


def when_ready(server: Any) -> None:
    """Serve the metrics of all workers from the parent, which lives as long as the server does."""
    warm_up()
    # What the application is made of stays to the end. Python needn't look through it for garbage, which stops a
    # worker for a tenth of a second each time and copies the memory that parent and workers share.
    gc.collect()
    gc.freeze()
    if not metrics_port:
        return
    from bff.metrics import serve_metrics

    try:
        serve_metrics(metrics_port)
    except OSError as error:
        server.log.error("metrics are not served on port %s: %s", metrics_port, error)


def post_fork(server: Any, worker: Any) -> None:
    """Forget database connections that were opened before the fork: two processes must not share one."""
    db.dispose_after_fork()
    if (asking := max(1, len(os.sched_getaffinity(0)) // workers)) < threads:
        db.ask_in_turn(asking)
    if metrics_port:
        from bff.metrics import process_begun

        process_begun()


def child_exit(server: Any, worker: Any) -> None:
    """Forget a dead worker's connections, and take its gauges out of the sums."""
    _held[worker.age % _PLACES] = 0
    if metrics_port:
        from bff.metrics import process_ended

        process_ended(worker.pid, Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))


def on_exit(server: Any) -> None:
    """Remove what was made at the start."""
    if _own_metrics_folder:
        with contextlib.suppress(OSError):
            shutil.rmtree(_own_metrics_folder)
