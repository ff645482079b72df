"""Serves one method of a Python driver to a gateway: what rg-driver becomes for a file that ends in .py.

The driver defines the functions

    read_chunk(request, chunk_fd, driver_config, driver_secrets)
    write_chunk(request, chunk, driver_config, driver_secrets)
    delete_chunk(request, driver_config, driver_secrets)
    rename_file(request, old_path, new_path, driver_config, driver_secrets)     may be missing
    serialize(request, chunk)  and  deserialize(request, chunk)                 may be missing
    driver_init(driver_config, driver_secrets)  and  driver_shutdown()          may be missing

which return 0 or a negative errno; serialize and deserialize return the chunk, as bytes, or a negative errno. None
counts as 0. An exception ends the worker and costs the one request. `request` has the attributes that the driver of the
gateways that came before expect. What is printed goes to the gateway's log.
"""
import array
import importlib.util
import json
import mmap
import os
import socket
import struct
import sys
import traceback
import types

METHODS = {"read": "read_chunk", "write": "write_chunk", "delete": "delete_chunk",
           "rename": "rename_file", "serialize": "serialize", "deserialize": "deserialize"}
TAKES_CHUNK = ("write", "serialize", "deserialize")
GIVES_CHUNK = ("read", "serialize", "deserialize")
HEADER = struct.Struct("<4sII")
READY, CALL, ANSWER = 2, 3, 4
BLOCK, MANIFEST, RENAME_HINT = 1, 2, 3
MAX_FRAME = 64 << 10


def send(channel, kind, number, message):
    channel.send(HEADER.pack(b"PKW1", kind, number) + json.dumps(message).encode())


def receive(channel):
    """The next call: its number, members and descriptors; None when the gateway is gone."""
    packet, ancillary, flags, _ = channel.recvmsg(MAX_FRAME, socket.CMSG_SPACE(2 * 4))
    if not packet:
        return None
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[:len(data) - len(data) % descriptors.itemsize])
    magic, kind, number = HEADER.unpack_from(packet)
    if magic != b"PKW1" or kind != CALL or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        sys.exit(3)
    return number, json.loads(packet[HEADER.size:]), list(descriptors)


def number_or_text(text, base, digits):
    """Old drivers format ids as numbers, and their gateways had no others: a decimal volume, a hexadecimal file."""
    is_number = len(text) <= 16 and all(c in digits for c in text)
    return int(text, base) if is_number else text


def request_of(call, method):
    request = types.SimpleNamespace(
        volume_id=number_or_text(call["volume"], 10, "0123456789"),
        file_id=number_or_text(call["file"], 16, "0123456789ABCDEF"), volume=call["volume"], file=call["file"],
        file_version=call["file_version"],
        path=call["path"], new_path=call["new_path"], hash=call["hash"],
        offset=call["offset"], len=call["length"])
    if call["manifest"]:
        request.request_type = MANIFEST
        request.manifest_mtime_sec, request.manifest_mtime_nsec = call["id"], call["version"]
    else:
        request.request_type = BLOCK
        request.block_id, request.block_version = call["id"], call["version"]
    if method == "rename":
        request.request_type = RENAME_HINT
    return request


def chunk_of(call, descriptor):
    if call["chunk_size"] == 0:
        return b""
    start = call["chunk_offset"] // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
    skip = call["chunk_offset"] - start
    with mmap.mmap(descriptor, skip + call["chunk_size"], prot=mmap.PROT_READ, offset=start) as mapped:
        return mapped[skip:]


def invoke(function, method, call, descriptors, config, secrets):
    """What the answer says: 0 or a negative errno."""
    request = request_of(call, method)
    if method == "read":
        with os.fdopen(os.dup(descriptors[0]), "wb") as chunk_fd:
            result = function(request, chunk_fd, config, secrets)
    elif method == "write":
        result = function(request, chunk_of(call, descriptors[0]), config, secrets)
    elif method == "delete":
        result = function(request, config, secrets)
    elif method == "rename":
        result = function(request, request.path, request.new_path, config, secrets)
    else:
        result = function(request, chunk_of(call, descriptors[0]))
        if isinstance(result, (bytes, bytearray, memoryview)):
            with os.fdopen(os.dup(descriptors[1]), "wb") as chunk_fd:
                chunk_fd.write(result)
            return 0
        if not isinstance(result, int) or result >= 0:
            raise TypeError("%s() must return bytes or a negative errno" % METHODS[method])
    if result is None or result is True:
        return 0
    if isinstance(result, int) and -4096 < result <= 0:
        return int(result)
    raise TypeError("%s() must return 0 or a negative errno, not %r" % (METHODS[method], result))


def load(path):
    spec = importlib.util.spec_from_file_location("driver", path)
    driver = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(driver)
    return driver


def start(channel, method, path, settings):
    """The driver's function and settings, once the gateway knows that it can call."""
    try:
        with os.fdopen(settings, "rb") as file:
            file.seek(0)
            both = json.load(file)
        driver = load(path)
        function = getattr(driver, METHODS[method], None)
        if function is not None and hasattr(driver, "driver_init"):
            if driver.driver_init(both["config"], both["secrets"]) is False:
                raise RuntimeError("driver_init() failed")
    except BaseException as error:
        traceback.print_exc()
        send(channel, READY, 0, {"protocol": 1, "error": "driver %s: %s" % (path, type(error).__name__)})
        sys.exit(2)
    send(channel, READY, 0, {"protocol": 1, "implemented": function is not None, "name": os.path.basename(path)})
    if function is None:
        sys.exit(0)
    return driver, function, both["config"], both["secrets"]


def main():
    method, path = sys.argv[1], sys.argv[2]
    channel = socket.socket(fileno=int(sys.argv[3]))
    channel.set_inheritable(False)
    driver, function, config, secrets = start(channel, method, path, int(sys.argv[4]))
    while True:
        received = receive(channel)
        if received is None:
            if hasattr(driver, "driver_shutdown"):
                driver.driver_shutdown()
            return
        number, call, descriptors = received
        try:
            result = invoke(function, method, call, descriptors, config, secrets)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(4)
        for descriptor in descriptors:
            os.close(descriptor)
        sys.stdout.flush()
        send(channel, ANSWER, number, {"error": result})


main()
