/// How many calls of each class may be in flight: on a link, or on one connection of a server. A bulkhead: what fills one class
/// leaves the others their places.
package struct ClassLimits: Sendable, Equatable {
    /// Calls of each class.
    package var control: Int
    package var unary: Int
    package var stream: Int

    /// The defaults hold 5 000 idle streams with room to spare.
    package init(control: Int = 1024, unary: Int = 2048, stream: Int = 8192) {
        self.control = control
        self.unary = unary
        self.stream = stream
    }

    /// The same limit for each class.
    package init(each limit: Int) { self.init(control: limit, unary: limit, stream: limit) }

    /// The limit of a class.
    package subscript(_ methodClass: MethodClass) -> Int {
        get {
            switch methodClass {
            case .control: control
            case .unary: unary
            case .stream: stream
            }
        }
        set {
            switch methodClass {
            case .control: control = newValue
            case .unary: unary = newValue
            case .stream: stream = newValue
            }
        }
    }

    /// Of all classes together.
    package var total: Int { control + unary + stream }
}

/// How long a call may run before it says something about the peer, while it still runs. Streams say nothing by lasting.
package struct SlowThresholds: Sendable, Equatable {
    /// Of each class that can be slow.
    package var control: Duration
    package var unary: Duration

    /// Far beyond what a healthy peer takes for the longest call of a class.
    package init(control: Duration = .seconds(1), unary: Duration = .seconds(10)) {
        self.control = control
        self.unary = unary
    }

    /// Nil: never slow.
    package subscript(_ methodClass: MethodClass) -> Duration? {
        switch methodClass {
        case .control: control
        case .unary: unary
        case .stream: nil
        }
    }
}
