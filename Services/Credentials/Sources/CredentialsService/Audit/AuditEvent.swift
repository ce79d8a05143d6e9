/// What happened, as it is told to the audit trail. No query, header or body: they may hold what must not be kept.
package struct AuditEvent: Sendable, Equatable {
    /// call | end | honeytoken | set | rotate | revoke | delete | reseal | import | unlock | gap | repair | drop
    package var event: String
    /// allow | deny | done | failed
    package var decision: String
    /// Who asked: a service, or `admin`.
    package var peer: String
    /// The peer's user id as the kernel tells it; nil when not known.
    package var uid: UInt32?
    /// The process that opened the peer's connection as the kernel tells it; nil when not known.
    package var pid: Int32?
    /// The destination; empty for events about secrets.
    package var destination: String
    /// Host and port a call goes to.
    package var host = ""
    /// The secret's name; empty when none.
    package var secret: String
    /// The HTTP method of a call.
    package var method: String
    /// The raw path of a call. It may hold a secret: the trail keeps a keyed digest of it, by which records of one path are
    /// told from those of another.
    package var path = ""
    /// A stable word for what was refused or found.
    package var reason: String
    /// The request id and tenant on whose behalf.
    package var request: String
    package var tenant: String
    /// How an allowed call ended; nil for other events.
    package var outcome: CallOutcome?

    /// An event; all but the first two optional.
    package init(
        _ event: String, _ decision: String, peer: String = "admin", destination: String = "", secret: String = "",
        method: String = "",
        reason: String = "", request: String = "", tenant: String = ""
    ) {
        self.event = event
        self.decision = decision
        self.peer = peer
        self.destination = destination
        self.secret = secret
        self.method = method
        self.reason = reason
        self.request = request
        self.tenant = tenant
    }

    /// The end of a call: `done`, or `failed` with the reason.
    package init(endOf call: CallOutcome, peer: String, destination: String, request: String, failure: String? = nil) {
        self.init(
            "end", failure == nil ? "done" : "failed", peer: peer, destination: destination, reason: failure ?? "",
            request: request)
        outcome = call
    }

    /// Whether something goes out, or is changed, only after this record stands in the file.
    var isPermission: Bool { decision == "allow" }
    /// Whether it may wait for the next write.
    var mayWait: Bool { event == "end" }
}

/// How an allowed call ended, for its second record.
package struct CallOutcome: Sendable, Equatable {
    /// The number of the record that allowed it.
    package var decision: UInt64
    /// The status of the answer; 0 without one.
    package var status = 0
    /// Bytes of the answer's body as they came.
    package var bytes = 0
    /// From the call's arrival to its end.
    package var milliseconds: Int64 = 0
    /// Places where the secret was taken out.
    package var redactions = 0
    /// The address the connection was pinned to, where known.
    package var address = ""

    /// An end of which nothing is known yet.
    package init(decision: UInt64) { self.decision = decision }
}
