/// The arguments every contestant understands.
struct Options: Sendable {
    let verb: String
    let socket: String
    private(set) var count = 20_000
    private(set) var size = 1024
    private(set) var inFlight = 1
    private(set) var coalesces = true
    private var ahead: Int?

    /// Calls made before the clock starts.
    var warmup: Int { ahead ?? max(inFlight, count / 10) }

    init(_ arguments: [String]) {
        verb = arguments.count > 1 ? arguments[1] : ""
        socket = arguments.count > 2 ? arguments[2] : ""
        var rest = arguments.dropFirst(3)
        while let name = rest.popFirst() {
            switch name {
            case "--count": count = Self.number(&rest)
            case "--size": size = Self.number(&rest)
            case "--in-flight": inFlight = Self.number(&rest)
            case "--warmup": ahead = Self.number(&rest)
            case "--no-coalescing": coalesces = false
            default: preconditionFailure("unknown option \(name)")
            }
        }
    }

    private static func number(_ rest: inout ArraySlice<String>) -> Int {
        guard let text = rest.popFirst(), let value = Int(text) else { preconditionFailure("an option needs a number") }
        return value
    }
}
