"""A plain server as the old system had it: what a station's report costs when
nothing is done for speed.

One thread for each connection, one commit for each report, the table of the
old contract in data.sqlite of the current folder. Reads "ID A1 A2" or the old
client's "ID-A1-A2", answers OK when the report is committed.
"""

import re
import socket
import socketserver
import sqlite3
import threading
import time

REPORT = re.compile(rb"(\d{1,19})([ -])([01])\2([01])\s*")

database = sqlite3.connect("data.sqlite", check_same_thread=False)
database.execute(
    "CREATE TABLE IF NOT EXISTS station_status ("
    "station_id INTEGER PRIMARY KEY, last_date TEXT, alarm1 INTEGER, alarm2 INTEGER)"
)
database.commit()
one_at_a_time = threading.Lock()


def store(station_id, alarm1, alarm2):
    with one_at_a_time, database:
        database.execute(
            "INSERT INTO station_status VALUES (?, ?, ?, ?) "
            "ON CONFLICT (station_id) DO UPDATE SET last_date = excluded.last_date, "
            "alarm1 = excluded.alarm1, alarm2 = excluded.alarm2",
            (station_id, time.strftime("%Y-%m-%d %H:%M"), alarm1, alarm2),
        )


class Station(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            # As the old server did, it takes what one read gives for whole
            # reports, with or without a newline.
            while received := self.request.recv(1024):
                for line in received.splitlines():
                    report = REPORT.fullmatch(line)
                    if report:
                        store(int(report[1]), int(report[3]), int(report[4]))
                    self.request.sendall(b"OK\n" if report else b"ERR format not a report\n")
        except ConnectionError:
            pass  # The station went away.


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024


with Server(("127.0.0.1", 0), Station) as server:
    print("listening stations %s:%d" % server.server_address, flush=True)
    server.serve_forever()
