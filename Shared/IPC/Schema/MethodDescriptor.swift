import BulkheadCore

/// The four call shapes of gRPC.
package enum CallShape: UInt8, Sendable {
    case unary
    case clientStream
    case serverStream
    case bidirectional
}

/// What a call is good for. Calls of one class never take the places of another: each has its own limit in flight.
package enum MethodClass: UInt8, Sendable, CaseIterable, Codable {
    /// Short and needed by everything else (admission, health). Marked `Class: control.` in the `.proto`.
    case control
    /// One answer that takes as long as the work does.
    case unary
    /// Lives as long as its caller listens.
    case stream
}

/// One method of a service as the `.proto` declares it. Made by the generator.
package struct MethodDescriptor: Sendable, Hashable {
    /// `Service.Method`, e.g. `Router.Complete`.
    package let name: String
    package let shape: CallShape
    /// Whose places its calls take.
    package let methodClass: MethodClass
    /// First 8 bytes of the SHA-256 over the canonical descriptor of the request message, all nested messages included.
    package let requestHash: UInt64
    /// The same of the response message.
    package let responseHash: UInt64

    /// A method; the hashes come from the generator. Without a class it is of the one its shape suggests.
    package init(
        name: String, shape: CallShape, methodClass: MethodClass? = nil, requestHash: UInt64, responseHash: UInt64
    ) {
        self.name = name
        self.shape = shape
        self.methodClass = methodClass ?? (shape == .unary ? .unary : .stream)
        self.requestHash = requestHash
        self.responseHash = responseHash
    }
}

/// The methods of one `.proto` service and the fingerprint of its schema. Made by the generator.
package struct ServiceSchema: Sendable, Hashable {
    /// The service as the `.proto` names it, e.g. `Router`.
    package let name: String
    /// First 16 bytes of the SHA-256 over the canonical file descriptors, as 32 hexadecimal digits.
    package let fingerprint: String
    package let methods: [MethodDescriptor]
    /// The messages of the methods and those inside them; what compatibility is judged by.
    package let forms: [MessageForm]
    /// For each method the places of its messages in `forms`.
    package let signatures: [MethodSignature]

    /// A schema of `methods`. Without forms its methods are compatible with equal ones only.
    package init(
        name: String, fingerprint: String, methods: [MethodDescriptor], forms: [MessageForm] = [],
        signatures: [MethodSignature] = []
    ) {
        self.name = name
        self.fingerprint = fingerprint
        self.methods = methods
        self.forms = forms
        self.signatures = signatures
    }
}
