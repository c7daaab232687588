"""The kernel's end of a transfer. tcp.py sink PORT | source ADDRESS PORT BYTES | echo PORT; prints 'ready' first."""
import socket
import sys
import time

CHUNK = 1 << 18


def listen(port):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("0.0.0.0", port))
    server.listen(16)
    print("ready", flush=True)
    return server


def sink(port):
    """Counts what each connection brings, and prints bytes and seconds from the first byte to the end."""
    server = listen(port)
    buffer = bytearray(CHUNK)
    while True:
        connection, _ = server.accept()
        total, start = 0, None
        while count := connection.recv_into(buffer):
            start = start or time.perf_counter()
            total += count
        print(total, time.perf_counter() - start, flush=True)
        connection.close()


def source(address, port, count):
    """Sends so many bytes and waits until the other end has taken and closed; prints the same."""
    connection = socket.create_connection((address, port))
    data = bytes(CHUNK)
    start, left = time.perf_counter(), count
    while left > 0:
        left -= connection.send(data[: min(left, CHUNK)])
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(1):
        pass
    print(count, time.perf_counter() - start, flush=True)


def echo(port):
    server = listen(port)
    while True:
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := connection.recv(4096):
            connection.sendall(data)
        connection.close()


if sys.argv[1] == "sink":
    sink(int(sys.argv[2]))
elif sys.argv[1] == "source":
    source(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
else:
    echo(int(sys.argv[2]))
