import BulkheadCore

/// The four call shapes of gRPC.
package enum CallShape: UInt8, Sendable {
    case unary
    case clientStream
    case serverStream
    case bidirectional
}

/// One method of a service as the `.proto` declares it. Made by the generator.
package struct MethodDescriptor: Sendable, Hashable {
    /// `Service.Method`, e.g. `Router.Complete`.
    package let name: String
    package let shape: CallShape
    /// First 8 bytes of the SHA-256 over the canonical descriptor of the request message, all nested messages included.
    package let requestHash: UInt64
    /// The same of the response message.
    package let responseHash: UInt64

    /// A method; the hashes come from the generator.
    package init(name: String, shape: CallShape, requestHash: UInt64, responseHash: UInt64) {
        self.name = name
        self.shape = shape
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

    /// A schema of `methods`.
    package init(name: String, fingerprint: String, methods: [MethodDescriptor]) {
        self.name = name
        self.fingerprint = fingerprint
        self.methods = methods
    }
}
