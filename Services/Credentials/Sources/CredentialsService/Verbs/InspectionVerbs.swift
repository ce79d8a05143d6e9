import BulkheadAPI
import BulkheadCore
import BulkheadServiceKit
import NIOCore
import NIOHTTP1

// Verbs that look and try.
extension CredentialsDaemon {
    private static let testTimeout = Duration.seconds(10)
    private static let maxTail = 1000

    var inspectionVerbs: [AdminVerb] {
        [
            AdminVerb("test") { [self] (command: NamedCommand) in try await test(command.name) },
            AdminVerb("doctor") { [self] (_: NoValue) in try await doctor() },
            AdminVerb("audit.tail") { [self] (command: TailCommand) in
                let lines = try await context.blocking { [audit] in try audit.tail(min(command.count, Self.maxTail)) }
                return lines.map { line in (try? AdminJSON.decode(AuditRecord.self, String(line))) ?? Self.unreadable }
            },
            AdminVerb("audit.verify") { [self] (_: NoValue) in try await context.blocking { [audit] in audit.verify() } },
        ]
    }

    /// Stands for a line that is no record; `audit verify` says more.
    private static let unreadable = AuditRecord(
        seq: 0, at: 0, event: "unreadable", decision: "failed", peer: "", prev: "", hash: "")

    private func test(_ name: String) async throws -> [TestRow] {
        let current = service.current
        var destinations = current.table.using(secret: name)
        if destinations.isEmpty { destinations = [try current.table.find(name)] }
        var rows: [TestRow] = []
        for destination in destinations { rows.append(await tried(destination, current.client, current.tokens)) }
        return rows
    }

    /// One request with the secret of a destination, which may not be in force yet.
    /// - Parameter tokens: where its access token comes from, if it needs one.
    func tried(_ destination: Destination, _ client: OutboundClient, _ tokens: OAuthTokens) async -> TestRow {
        let begun = MonotonicTime.now()
        var row = TestRow(destination: destination.configuration.name, isGood: false, milliseconds: 0, message: "")
        do {
            let status = try await status(of: destination, client, tokens)
            row.status = status
            row.isGood = status != 401 && status != 403
            row.message = row.isGood ? "answers" : "answers, but refuses the stored secret"
        } catch let error as CallError {
            row.message = error.message
            row.isRefused = error.reason == "secret_refused"
        } catch {
            row.message = "the test failed"
        }
        row.milliseconds = (MonotonicTime.now() - begun).milliseconds
        return row
    }

    /// The destination's own probe, else a GET of a path that needs the key where one is known, else of `/`.
    private func status(of destination: Destination, _ client: OutboundClient, _ tokens: OAuthTokens) async throws -> Int {
        let probe = destination.configuration.effectiveProbe
        let unlimited = Destination(
            destination.configuration.forTest, isProvider: false, secret: destination.secret, metrics: destination.metrics)
        let admitted = try AdmittedCall(
            CredentialsAPI.CallRequest(method: probe.method, path: probe.path), unlimited, peer: "admin")
        try audit.record(
            AuditEvent("call", "allow", destination: destination.configuration.name, method: probe.method, reason: "test"))
        guard let oauth = admitted.injection?.oauth else {
            return try await answer(to: admitted.request(.none), at: destination, client)
        }
        var token = try await tokens.token(of: oauth, for: destination, by: client)
        while true {
            var request = try admitted.request(.none)
            if let token { request.headers.append(token.header) }
            let status = try await answer(to: request, at: destination, client)
            guard status == 401, let next = try await tokens.token(of: oauth, for: destination, by: client, after: token) else {
                return status
            }
            token = next
        }
    }

    /// The status of an answer.
    private func answer(
        to request: OutboundRequest, at destination: Destination, _ client: OutboundClient
    ) async throws -> Int {
        let upstream = UpstreamExchange(client)
        let timer = context.eventLoop.scheduleTask(in: TimeAmount(Self.testTimeout)) { upstream.cancel() }
        defer {
            timer.cancel()
            upstream.cancel()
        }
        upstream.start(request, to: destination.origin, connectTimeout: destination.configuration.limits.connect)
        switch await upstream.next() {
        case .head(let head, _): return Int(head.status.code)
        case .failed(let error):
            if (error as? UpstreamFault) == .cancelled {
                throw CallError(.deadlineExceeded, message: "\(destination.place) did not answer in 10 s")
            }
            throw OutboundFailure.beforeResponse(error, place: destination.place, wasSent: upstream.wasSent)
        case .part, .end: preconditionFailure("bug: a response begins with its head")
        }
    }

    private func doctor() async throws -> [DoctorRow] {
        var rows: [DoctorRow] = []
        for finding in store.findings {
            rows.append(DoctorRow(level: finding.level, subject: "store \(store.kind.rawValue)", message: finding.message))
        }
        if let stale = store.stale {
            rows.append(
                DoctorRow(
                    level: "error", subject: "store \(store.kind.rawValue)",
                    message: "secrets read before are used for a while: \(stale.message)"))
        }
        let trail = try await context.blocking { [audit] in audit.verify() }
        rows.append(
            DoctorRow(
                level: trail.problem == nil ? "ok" : "error", subject: "audit trail",
                message: trail.problem ?? "\(trail.records) records in order"))
        let memory = SecretMemory.shared.problem
        rows.append(
            DoctorRow(level: memory == nil ? "ok" : "warning", subject: "memory", message: memory ?? "secrets are locked in it"))
        if let trouble = proxyAccess.trouble {
            rows.append(DoctorRow(level: "error", subject: "egress proxy", message: trouble.message))
        }
        for destination in service.current.table.all {
            rows.append(finding(destination))
        }
        return rows
    }

    private func finding(_ destination: Destination) -> DoctorRow {
        let subject = "destination \(destination.configuration.name)"
        if destination.isDecoy {
            return DoctorRow(level: "ok", subject: subject, message: "a decoy: its secret is a honeytoken, whose use is reported")
        }
        if case .unusable(let error) = destination.secret {
            return DoctorRow(level: "error", subject: subject, message: error.message)
        }
        if destination.callers.isEmpty {
            return DoctorRow(
                level: "warning", subject: subject,
                message: "nobody may call it: no provider refers to it and it has no `callers`")
        }
        if destination.configuration.secret != nil, destination.configuration.injection.preset == .query {
            return DoctorRow(
                level: "warning", subject: subject,
                message: "its secret goes into the query, which servers and proxies write into their logs: prefer a header")
        }
        if let loose = looseSeal(destination) { return DoctorRow(level: "warning", subject: subject, message: loose) }
        return DoctorRow(
            level: "ok", subject: subject,
            message: "\(destination.place), called by \(destination.callers.sorted().joined(separator: ", "))")
    }
}

extension DestinationConfiguration {
    /// The same place for a try by the operator, whom neither paths nor callers bind.
    fileprivate var forTest: DestinationConfiguration {
        var copy = self
        copy.methods = [effectiveProbe.method]
        copy.rate = nil
        copy.paths = nil
        copy.callers = ["admin"]
        return copy
    }
}
