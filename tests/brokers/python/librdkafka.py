"""The C functions of librdkafka's mock cluster, which confluent-kafka's wheel brings along but does not offer."""

import ctypes
import pathlib

import confluent_kafka

_MODULE = pathlib.Path(confluent_kafka.__file__).parent
_PRODUCER = 0
_INT, _INT16, _SIZE, _TEXT, _POINTER = (
    ctypes.c_int, ctypes.c_int16, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p)


def _load():
    for folder in (_MODULE.parent / "confluent_kafka.libs", _MODULE / ".dylibs"):
        for library in folder.glob("librdkafka*"):
            return ctypes.CDLL(str(library))
    raise SystemExit(f"there is no librdkafka beside {_MODULE}")


_LIBRARY = _load()


def _function(name, result, *arguments):
    function = getattr(_LIBRARY, name)
    function.restype, function.argtypes = result, arguments
    return function


_new = _function("rd_kafka_new", _POINTER, _INT, _POINTER, _TEXT, _SIZE)
_conf_new = _function("rd_kafka_conf_new", _POINTER)
_conf_set = _function("rd_kafka_conf_set", _INT, _POINTER, _TEXT, _TEXT, _TEXT, _SIZE)
_cluster_new = _function("rd_kafka_mock_cluster_new", _POINTER, _POINTER, _INT)
_bootstraps = _function("rd_kafka_mock_cluster_bootstraps", _TEXT, _POINTER)
_start_tracking = _function("rd_kafka_mock_start_request_tracking", None, _POINTER)
_get_requests = _function("rd_kafka_mock_get_requests", ctypes.POINTER(_POINTER), _POINTER, ctypes.POINTER(_SIZE))
_destroy_requests = _function("rd_kafka_mock_request_destroy_array", None, ctypes.POINTER(_POINTER), _SIZE)
_request_api = _function("rd_kafka_mock_request_api_key", _INT16, _POINTER)
_clear_errors = _function("rd_kafka_mock_clear_request_errors", None, _POINTER, _INT16)
_push_errors = _function(
    "rd_kafka_mock_push_request_errors_array", None, _POINTER, _INT16, _SIZE, ctypes.POINTER(_INT))
_set_topic_error = _function("rd_kafka_mock_topic_set_error", None, _POINTER, _TEXT, _INT)
_error_name = _function("rd_kafka_err2name", _TEXT, _INT)
# Those that take the cluster first, and give an error or none.
_COMMANDS = {
    "topic_create": (_TEXT, _INT, _INT),
    "partition_set_leader": (_TEXT, _INT, _INT),
    "partition_push_leader_response": (_TEXT, _INT, _INT, _INT),
    "broker_set_down": (_INT,),
    "broker_set_up": (_INT,),
    "broker_set_rtt": (_INT, _INT),
}


class MockCluster:
    """A mock cluster on 127.0.0.1 for as long as the process lives."""

    def __init__(self, brokers):
        complaint = ctypes.create_string_buffer(512)
        conf = _conf_new()
        # It is a handle only: it connects to nothing, and says nothing about that.
        _conf_set(conf, b"log_level", b"0", complaint, len(complaint))
        handle = _new(_PRODUCER, conf, complaint, len(complaint))
        if not handle:
            raise SystemExit(complaint.value.decode())
        self._cluster = _cluster_new(handle, brokers)
        self.servers = _bootstraps(self._cluster).decode()
        _start_tracking(self._cluster)

    def command(self, name, *arguments):
        function = _function(f"rd_kafka_mock_{name}", _INT, _POINTER, *_COMMANDS[name])
        arguments = [a.encode() if isinstance(a, str) else a for a in arguments]
        error = function(self._cluster, *arguments)
        if error:
            raise ValueError(_error_name(error).decode())

    def push_errors(self, api, errors):
        """Plans errors for the next requests of an API, after those that are planned already."""
        _push_errors(self._cluster, api, len(errors), (_INT * len(errors))(*errors))

    def clear_errors(self, api):
        _clear_errors(self._cluster, api)

    def set_topic_error(self, topic, error):
        """What Metadata says of a topic, from now on."""
        _set_topic_error(self._cluster, topic.encode(), error)

    def requests(self, api):
        """How many requests of an API have come."""
        count = _SIZE()
        requests = _get_requests(self._cluster, ctypes.byref(count))
        try:
            return sum(_request_api(requests[i]) == api for i in range(count.value))
        finally:
            _destroy_requests(requests, count.value)
