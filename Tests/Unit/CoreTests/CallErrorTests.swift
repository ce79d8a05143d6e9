import BulkheadCore
import Testing

@Suite("Names and statuses of the suite") struct CallErrorTests {
    @Test("status codes have the numbers of gRPC")
    func numbers() {
        #expect(StatusCode.allCases.map(\.rawValue) == Array(0 ... 16))
        #expect(StatusCode.deadlineExceeded.rawValue == 4 && StatusCode.unavailable.rawValue == 14)
        #expect(StatusCode(rawValue: 17) == nil)
    }

    @Test("an error describes its class, reason, message and origin")
    func description() {
        let error = CallError(.unavailable, reason: "breaker_open", message: "try later", origin: "credentials")
        #expect("\(error)" == "unavailable (breaker_open): try later [from credentials]")
        #expect("\(CallError(.internal, message: "odd"))" == "internal: odd")
    }

    @Test("the six services and their executables carry one name each")
    func services() {
        #expect(ServiceName.allCases.map(\.rawValue) == ["edge", "router", "retrieval", "session", "credentials", "telemetry"])
        #expect(ServiceName.retrieval.executable == "bulkhead-retrieval")
    }
}
