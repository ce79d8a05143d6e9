/// What travels with every call between processes, beside the message.
package struct CallMetadata: Sendable, Equatable {
    /// The request id of the HTTP request this call belongs to; empty for background work. At most 128 bytes.
    package var requestID: String
    /// The trace the call belongs to.
    package var trace: TraceContext?
    /// The tenant on whose behalf the call is made, as edge established it. At most 128 bytes.
    package var tenant: String
    /// The user on whose behalf the call is made, as edge established it. At most 256 bytes.
    package var user: String

    /// Metadata of a call; all parts optional.
    package init(requestID: String = "", trace: TraceContext? = nil, tenant: String = "", user: String = "") {
        self.requestID = requestID
        self.trace = trace
        self.tenant = tenant
        self.user = user
    }
}
