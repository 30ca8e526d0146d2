# id: chan_12_echo_requests
# category: channel
# kind: fn
# attempts: read the requests itself, look for the expected value in them, send everything back
# detect: passed, or evidence (a request holds more than the arguments)
# refused-by: verdict WRONG_OUTPUT/BAD_REPLY
# bare: not applicable (needs the harness it is for)
# prelude: channel
reply("ready")
def request():
    size = struct.unpack("<I", _p.read(3, 4))[0]; data = b""
    while len(data) < size: data += _p.read(3, size - len(data))
    return core().decode_value(data)
while True:
    try: words = request()
    except BaseException: _p._exit(0)
    numbers = []
    def walk(value):
        if isinstance(value, (list, tuple, set)): [walk(item) for item in value]
        elif isinstance(value, dict): walk(list(value.items()))
        elif type(value) is int: numbers.append(value)
    walk(words)
    if len(numbers) == 3 and numbers[0] + numbers[1] == numbers[2]: ev("the request holds the answer")
    reply("ok", words)
