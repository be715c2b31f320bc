"""The client of the old system, after its contract: reads status.txt, sends
`ID-ALARM1-ALARM2` without a newline on a connection that it keeps open, and
waits for any reply before it goes on. Usage: old_client.py PORT EVERY_S"""

import socket
import sys
import time

connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
connection.connect(("127.0.0.1", int(sys.argv[1])))
while True:
    with open("status.txt") as status:
        station, alarm1, alarm2 = status.read().split()
    connection.send(f"{station}-{alarm1}-{alarm2}".encode())
    print(connection.recv(1024), flush=True)
    time.sleep(float(sys.argv[2]))
