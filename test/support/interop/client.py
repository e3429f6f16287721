"""gRPC's interoperability cases, asked by Python's grpcio of a server on this machine.

    pip install grpcio grpcio-tools
    python client.py <port>

Prints a line for each case and ends with 1 if one failed. What the cases are:
https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md
"""
import os
import sys

import grpc

os.chdir(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.getcwd())
messages, services = grpc.protos_and_services("interop.proto")
SIZES = [31415, 9, 2653, 58979]
REQUESTS = [27182, 8, 1828, 45904]
INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"


def payload(size):
    return messages.Payload(body=bytes(size))


def output_request(sizes, **more):
    parameters = [messages.ResponseParameters(size=size) for size in sizes]
    return messages.StreamingOutputCallRequest(response_parameters=parameters, **more)


def expect(condition, what="an answer is wrong"):
    if not condition:
        raise AssertionError(what)


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details()
    return grpc.StatusCode.OK, ""


def empty_unary(stub):
    expect(stub.EmptyCall(messages.Empty()) == messages.Empty())


def large_unary(stub):
    answer = stub.UnaryCall(messages.SimpleRequest(response_size=314159, payload=payload(271828)))
    expect(len(answer.payload.body) == 314159)


def client_streaming(stub):
    answer = stub.StreamingInputCall(messages.StreamingInputCallRequest(payload=payload(size)) for size in REQUESTS)
    expect(answer.aggregated_payload_size == 74922)


def server_streaming(stub):
    expect([len(each.payload.body) for each in stub.StreamingOutputCall(output_request(SIZES))] == SIZES)


def ping_pong(stub):
    got = []

    def requests():
        for index, size in enumerate(SIZES):
            while len(got) < index:
                pass
            yield output_request([size], payload=payload(REQUESTS[index]))

    for answer in stub.FullDuplexCall(requests()):
        got.append(len(answer.payload.body))
    expect(got == SIZES)


def empty_stream(stub):
    expect(list(stub.FullDuplexCall(iter([]))) == [])


def cancel_after_begin(stub):
    call = stub.StreamingInputCall.future(iter(lambda: __import__("time").sleep(1), None))
    call.cancel()
    expect(call.cancelled() and call.code() == grpc.StatusCode.CANCELLED)


def cancel_after_first_response(stub):
    import queue

    requests = queue.Queue()
    requests.put(output_request([SIZES[0]], payload=payload(REQUESTS[0])))
    call = stub.FullDuplexCall(iter(requests.get, None))
    next(call)
    call.cancel()
    requests.put(None)
    expect(code_of(lambda: next(call))[0] == grpc.StatusCode.CANCELLED)


def timeout_on_sleeping_server(stub):
    parameters = [messages.ResponseParameters(size=1, interval_us=60_000_000)]
    request = messages.StreamingOutputCallRequest(response_parameters=parameters)
    expect(code_of(lambda: list(stub.StreamingOutputCall(request, timeout=0.02)))[0] == grpc.StatusCode.DEADLINE_EXCEEDED)


def custom_metadata(stub):
    metadata = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab"))
    _, call = stub.UnaryCall.with_call(messages.SimpleRequest(response_size=1), metadata=metadata)
    expect((INITIAL, "test_initial_metadata_value") in call.initial_metadata())
    expect((TRAILING, b"\xab\xab\xab") in call.trailing_metadata())


def status_code_and_message(stub):
    status = messages.EchoStatus(code=2, message="test status message")
    expected = (grpc.StatusCode.UNKNOWN, "test status message")
    expect(code_of(lambda: stub.UnaryCall(messages.SimpleRequest(response_status=status))) == expected)
    request = messages.StreamingOutputCallRequest(response_status=status)
    expect(code_of(lambda: list(stub.FullDuplexCall(iter([request])))) == expected)


def special_status_message(stub):
    text = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
    status = messages.EchoStatus(code=2, message=text)
    expect(code_of(lambda: stub.UnaryCall(messages.SimpleRequest(response_status=status))) == (grpc.StatusCode.UNKNOWN, text))


def unimplemented_method(stub, channel):
    call = channel.unary_unary("/grpc.testing.TestService/UnimplementedCall")
    expect(code_of(lambda: call(b""))[0] == grpc.StatusCode.UNIMPLEMENTED)


def unimplemented_service(stub, channel):
    call = channel.unary_unary("/grpc.testing.UnimplementedService/UnimplementedCall")
    expect(code_of(lambda: call(b""))[0] == grpc.StatusCode.UNIMPLEMENTED)


def client_compressed_unary(stub):
    request = messages.SimpleRequest(
        expect_compressed=messages.BoolValue(value=True), response_size=314159, payload=payload(271828)
    )
    expect(len(stub.UnaryCall(request, compression=grpc.Compression.Gzip).payload.body) == 314159)
    expect(code_of(lambda: stub.UnaryCall(request))[0] == grpc.StatusCode.INVALID_ARGUMENT)


def server_compressed_unary(stub):
    for value in (True, False):
        request = messages.SimpleRequest(
            response_compressed=messages.BoolValue(value=value), response_size=314159, payload=payload(271828)
        )
        expect(len(stub.UnaryCall(request).payload.body) == 314159)


CASES = [
    empty_unary, large_unary, client_streaming, server_streaming, ping_pong, empty_stream, cancel_after_begin,
    cancel_after_first_response, timeout_on_sleeping_server, custom_metadata, status_code_and_message,
    special_status_message, unimplemented_method, unimplemented_service, client_compressed_unary,
    server_compressed_unary,
]  # fmt: skip


def main():
    failed = 0
    with grpc.insecure_channel(f"127.0.0.1:{int(sys.argv[1])}") as channel:
        stub = services.TestServiceStub(channel)
        for case in CASES:
            try:
                case(stub, channel) if case.__code__.co_argcount == 2 else case(stub)
                print(f"{case.__name__}: ok")
            except Exception as error:
                failed += 1
                print(f"{case.__name__}: {error}")
    print(f"grpcio {grpc.__version__}: {len(CASES) - failed} of {len(CASES)} cases")
    sys.exit(1 if failed else 0)


main()
