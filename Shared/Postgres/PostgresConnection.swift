import BulkheadCore
import CLibpq
import Glibc

/// A connection, used by one thread at a time; closed with its last use. It is always in pipeline mode. Behind a pooler it holds
/// nothing between transactions that could not be handed to somebody else; on a server of its own it keeps statements prepared,
/// which halves what they cost there.
package struct PostgresConnection: ~Copyable {
    private let handle: OpaquePointer
    private let prepared = PreparedStatements()

    /// The oldest server spoken to, as libpq counts: 14 knows what is needed.
    private static let oldestServer: Int32 = 140_000

    private init(handle: OpaquePointer) { self.handle = handle }

    /// Connects. Blocks for at most three seconds an address, and as long as the resolver takes.
    /// - Throws: `.broken` with what libpq says; never with a password.
    package static func open(_ target: PostgresTarget) throws(PostgresError) -> PostgresConnection {
        let parameters = try target.parameters()
        let made = withCStrings(parameters.map(\.0)) { names in
            withCStrings(parameters.map(\.1)) { values in PQconnectdbParams(names, values, 1) }
        }
        guard let made else { throw .broken("libpq has no memory for a connection") }
        let connection = PostgresConnection(handle: made)
        try connection.begin()
        return connection
    }

    private func begin() throws(PostgresError) {
        guard PQstatus(handle) == CONNECTION_OK else { throw .broken(said) }
        guard PQserverVersion(handle) >= Self.oldestServer else {
            throw .broken("the server's version is \(PQserverVersion(handle)): PostgreSQL 14 or later is needed, 15 is tested")
        }
        // Notices are for people at a prompt; libpq would write them to this process's standard error.
        PQsetNoticeReceiver(handle, { _, _ in }, nil)
        guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else { throw .broken(said) }
        let told = try backendNumber()
        // A pooler makes up the number that its clients get, as theirs change.
        prepared.isAllowed = told == Int64(PQbackendPID(handle))
    }

    private func backendNumber() throws(PostgresError) -> Int64? {
        let answer = try exchange([PostgresCommand("SELECT pg_backend_pid()")], deadline: .now() + .seconds(3))
        guard case .integer(let number)? = try answer.row(0).first else { return nil }
        return number
    }

    /// Whether no pooler stands between.
    package var isDirect: Bool { prepared.isAllowed }

    deinit { PQfinish(handle) }

    /// What libpq says of the last failure, in one line.
    private var said: String {
        let text = PQerrorMessage(handle).map { String(cString: $0) } ?? ""
        let line = text.split(whereSeparator: \.isNewline).joined(separator: "; ")
        return line.isEmpty ? "the connection was closed" : line
    }

    /// Whether the server has not closed it while nobody looked. Costs one system call.
    package var isAlive: Bool {
        var rounds = 0
        while SocketWait.until(MonotonicTime(nanoseconds: 0), PQsocket(handle), POLLIN), rounds < 8 {
            guard PQconsumeInput(handle) == 1 else { return false }
            _ = PQisBusy(handle)
            rounds += 1
        }
        return rounds < 8 && PQstatus(handle) == CONNECTION_OK
    }

    /// Sends all statements in one write and waits for all answers. When one is refused those after it are not run.
    /// - Returns: the answer to the last.
    package func exchange(_ commands: [PostgresCommand], deadline: MonotonicTime) throws(PostgresError) -> PostgresResult {
        var last: PostgresResult?
        try exchange(commands, deadline: deadline) { (_: Int, answer: consuming PostgresResult) in last = consume answer }
        guard let last = consume last else { throw .unreadable("no statement was given") }
        return last
    }

    /// The same.
    /// - Parameter take: given the place of each statement that was done, and its answer. What it throws is thrown at the end,
    ///   unless a statement is refused.
    package func exchange(
        _ commands: [PostgresCommand], deadline: MonotonicTime,
        _ take: (Int, consuming PostgresResult) throws(PostgresError) -> Void
    ) throws(PostgresError) {
        var steps: [Step] = []
        for command in commands { try send(command, &steps) }
        guard PQpipelineSync(handle) == 1 else { throw .broken(said) }
        var refusal: PostgresError?
        var objection: PostgresError?
        var place = 0
        for step in steps {
            guard let result = try next(deadline) else { throw .broken(said) }
            let failure = result.refusal
            if case .prepare(let key) = step, failure != nil { prepared.forget(key) }
            if let refused = try Self.read(failure) { refusal = refusal ?? refused }
            if case .run = step {
                do {
                    if failure == nil { try take(place, result) }
                } catch {
                    objection = objection ?? error
                }
                place += 1
            }
            guard try next(deadline) == nil else { throw .broken("libpq gave two answers to one statement") }
        }
        guard let end = try next(deadline), end.isSync else { throw .broken(said) }
        if let error = refusal ?? objection { throw error }
    }

    /// Runs several statements of one text, which take no parameters.
    package func script(_ sql: String, deadline: MonotonicTime) throws(PostgresError) {
        guard PQexitPipelineMode(handle) == 1, PQsendQuery(handle, sql) == 1 else { throw .broken(said) }
        var refusal: PostgresError?
        while let result = try next(deadline) {
            if let refused = try Self.read(result.refusal) { refusal = refusal ?? refused }
        }
        guard PQenterPipelineMode(handle) == 1 else { throw .broken(said) }
        if let refusal { throw refusal }
    }

    /// - Returns: what the server refused. - Throws: `.broken` when it ends the connection as well.
    private static func read(_ refusal: PostgresResult.Refusal?) throws(PostgresError) -> PostgresError? {
        guard case .refused(let state, let message, let isFatal) = refusal else { return nil }
        // libpq itself speaks without a state: the connection is gone.
        if isFatal || state.isEmpty { throw .broken(message.isEmpty ? "the connection was closed" : message) }
        return .refused(PostgresRefusal(sqlState: state, message: message))
    }

    /// What an answer belongs to.
    private enum Step {
        case prepare(PreparedStatements.Key)
        case run
    }

    private func send(_ command: PostgresCommand, _ steps: inout [Step]) throws(PostgresError) {
        let encoded = EncodedParameters(command.values)
        let key = PreparedStatements.Key(sql: command.sql, types: encoded.types)
        if let (name, isNew) = command.isRepeated ? prepared.name(key) : nil {
            if isNew {
                guard PQsendPrepare(handle, name, command.sql, encoded.count, encoded.types) == 1 else { throw .broken(said) }
                steps.append(.prepare(key))
            }
            let sent = encoded.withPointers {
                PQsendQueryPrepared(handle, name, encoded.count, $0, encoded.lengths, encoded.formats, 1)
            }
            guard sent == 1 else { throw .broken(said) }
        } else {
            let sent = encoded.withPointers { pointers in
                PQsendQueryParams(
                    handle, command.sql, encoded.count, encoded.types, pointers, encoded.lengths, encoded.formats, 1)
            }
            guard sent == 1 else { throw .broken(said) }
        }
        steps.append(.run)
    }

    /// The next answer; nil after the last of a statement.
    private func next(_ deadline: MonotonicTime) throws(PostgresError) -> PostgresResult? {
        while true {
            let unsent = PQflush(handle)
            guard unsent >= 0 else { throw .broken(said) }
            if PQisBusy(handle) == 0 { return PQgetResult(handle).map { PostgresResult($0) } }
            guard SocketWait.until(deadline, PQsocket(handle), unsent == 1 ? POLLIN | POLLOUT : POLLIN) else { throw .silent }
            guard PQconsumeInput(handle) == 1 else { throw .broken(said) }
        }
    }
}
