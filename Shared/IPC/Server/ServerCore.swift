import BulkheadCore
import BulkheadWire
import Logging
import NIOCore
import Synchronization

/// The inside of a server: its methods, connections and health.
///
/// States: serving → draining (no new connections, calls in flight end) → drained.
///
/// `@unchecked Sendable`: the counters apart, touched on the event loop only.
final class ServerCore: @unchecked Sendable {
    /// A method and how often it was called.
    final class Entry: Sendable {
        let descriptor: MethodDescriptor
        let handler: ServerHandler
        let calls = Atomic<UInt64>(0)

        init(_ method: ServerMethod) {
            descriptor = method.descriptor
            handler = method.handler
        }
    }

    /// Its peers are a handful of processes and a command line.
    private static let maxConnections = 256
    private static let logPause: Duration = .seconds(10)
    /// A client that did not confirm DRAIN by then gets no more consideration.
    private static let drainAckTime: Duration = .seconds(1)

    let configuration: ServerConfiguration
    let eventLoop: any EventLoop
    let entries: [Entry]
    let instance = ProcessInstance.newID()
    let inFlight = Atomic<Int>(0)
    private let connectionCount = Atomic<Int>(0)
    private let rejected = Atomic<UInt64>(0)
    private let logger = Logger(label: "bulkhead.ipc")
    private var lastRejectionLog: MonotonicTime?
    private var connections: [ObjectIdentifier: ServerConnection] = [:]
    private(set) var health = PeerHealth(state: .starting)
    private var isDraining = false
    private var cutOff = 0
    /// Who waits for the drain's end.
    private var drainWaits: [(Int) -> Void] = []

    init(_ configuration: ServerConfiguration, eventLoop: any EventLoop) throws(IPCServerError) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        var names: Set<String> = []
        for method in configuration.methods {
            let name = method.descriptor.name
            guard names.insert(name).inserted else { throw IPCServerError("the method \(name) is registered twice") }
            let streams = if case .stream = method.handler { true } else { false }
            guard streams == (method.descriptor.shape != .unary) else {
                throw IPCServerError("the handler of \(name) does not fit its shape, \(method.descriptor.shape)")
            }
        }
        let description = IPCMessages.DescribeReply(
            service: configuration.service, instance: ByteBuffer(bytes: instance),
            schemas: configuration.schemas.map(IPCMessages.SchemaForm.init))
        guard let reply = try? description.encoded() else { throw IPCServerError("the schemas cannot be described") }
        // Last, so that it moves no method's id.
        entries = (configuration.methods + [Reflection.method(reply)]).map(Entry.init)
        let handshake = (try? greeting.encoded().readableBytes) ?? .max
        guard handshake <= FrameLimits.fragmentBytes else {
            throw IPCServerError("\(names.count) methods and their names do not fit a handshake; serve fewer on one socket")
        }
    }

    /// The schemas that `peer` does not know are described to it, as far as they fit into a handshake: without them its
    /// methods work in equal versions only.
    func hello(to peer: Hello) -> Hello {
        var hello = greeting
        let known = Set(peer.schemas)
        let forms = configuration.schemas.filter { !known.contains($0.fingerprint) }.map(IPCMessages.SchemaForm.init)
        hello.forms = forms
        guard let bytes = try? hello.encoded().readableBytes, bytes <= FrameLimits.fragmentBytes else { return greeting }
        return hello
    }

    private var greeting: Hello {
        var hello = Hello(
            service: configuration.service, instance: instance, maxMessageBytes: configuration.maxMessageBytes,
            schemas: configuration.schemas)
        hello.methods = entries.map { IPCMessages.MethodEntry($0.descriptor) }
        return hello
    }

    /// Why who comes is turned away; nil when it may connect.
    func refusal(uid: UInt32, isMember: (UInt32) -> Bool) -> String? {
        guard configuration.allowedUIDs.contains(uid) || configuration.allowedGID.map(isMember) ?? false else {
            return "uid \(uid) is not allowed to connect to \(configuration.service)"
        }
        if isDraining { return "\(configuration.service) is draining" }
        guard connections.count < Self.maxConnections else {
            return "\(configuration.service) has \(Self.maxConnections) connections already"
        }
        return nil
    }

    /// Whether a process of `uid` (nil: this process) may call under the name of `service`: a taken-over peer must not pass for
    /// another that is allowed more.
    func mayCall(_ service: String, uid: UInt32?) -> Bool {
        if configuration.allowedCallers.isEmpty { return true }
        guard let uids = configuration.allowedCallers[service] else { return false }
        return uids.isEmpty || uid.map(uids.contains) ?? true
    }

    func accept(_ pipe: FramePipe, uid: UInt32?, pid: Int32? = nil) {
        let connection = ServerConnection(core: self, pipe: pipe, uid: uid, pid: pid)
        connections[ObjectIdentifier(connection)] = connection
        connectionCount.add(1, ordering: .relaxed)
    }

    /// The connection is closed and none of its handlers runs any more.
    func forget(_ connection: ServerConnection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        connectionCount.subtract(1, ordering: .relaxed)
        if connections.isEmpty { finishDrain() }
    }

    private func finishDrain() {
        let waits = drainWaits
        drainWaits.removeAll()
        for wait in waits { wait(cutOff) }
    }

    /// Counts a connection that was turned away; one log line in ten seconds at most.
    func reject(_ reason: String) {
        let total = rejected.add(1, ordering: .relaxed).newValue
        let now = MonotonicTime.now()
        if let last = lastRejectionLog, now - last < Self.logPause { return }
        lastRejectionLog = now
        logger.warning("connection rejected", metadata: ["reason": "\(reason)", "rejected_total": "\(total)"])
    }

    func setHealth(_ health: PeerHealth) {
        guard health != self.health else { return }
        self.health = health
        for connection in connections.values { connection.pushHealth(health) }
    }

    func snapshot() -> ServerSnapshot {
        var calls: [String: UInt64] = [:]
        for entry in entries { calls[entry.descriptor.name] = entry.calls.load(ordering: .relaxed) }
        return ServerSnapshot(
            connections: connectionCount.load(ordering: .relaxed), inFlight: inFlight.load(ordering: .relaxed), calls: calls,
            rejected: rejected.load(ordering: .relaxed))
    }

    /// - Parameter done: called once, with the number of calls that were cut off.
    func drain(grace: Duration, done: @escaping (Int) -> Void) {
        drainWaits.append(done)
        isDraining = true
        setHealth(PeerHealth(state: .draining, reason: health.reason))
        for connection in Array(connections.values) { connection.drain() }
        if connections.isEmpty { return finishDrain() }
        let timers = eventLoop.assumeIsolated()
        timers.scheduleTask(in: TimeAmount(min(grace, Self.drainAckTime))) {
            for connection in Array(self.connections.values) { connection.drainUnconfirmed() }
        }
        timers.scheduleTask(in: TimeAmount(grace)) {
            let left = Array(self.connections.values)
            // Counted before the first is closed: the last one's end ends the drain.
            self.cutOff += left.reduce(0) { $0 + $1.answerable.count }
            for connection in left { connection.cutOff() }
            self.finishDrain()
        }
    }
}
