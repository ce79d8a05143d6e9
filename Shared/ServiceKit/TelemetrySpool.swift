import DequeModule

/// What waits until telemetry has it: numbered from 1 without gaps in one run of a process, bounded, the oldest dropped first.
package struct TelemetrySpool<Element: Sendable>: Sendable {
    private var elements: Deque<Element> = []
    private let capacity: Int
    /// Sequence number of the first that waits, or of the next to come.
    package private(set) var first = 1
    /// How many were dropped.
    package private(set) var dropped = 0

    /// - Parameter capacity: how many may wait.
    package init(capacity: Int) { self.capacity = capacity }

    /// How many wait.
    package var count: Int { elements.count }

    /// Takes one more.
    /// - Returns: false when the oldest was dropped for it.
    package mutating func append(_ element: Element) -> Bool {
        let hasRoom = elements.count < capacity
        if !hasRoom {
            elements.removeFirst()
            first += 1
            dropped += 1
        }
        elements.append(element)
        return hasRoom
    }

    /// The oldest, at most `count`.
    package func prefix(_ count: Int) -> [Element] { Array(elements.prefix(count)) }

    /// Lets go of everything up to a sequence number.
    /// - Returns: how many that were.
    package mutating func acknowledge(_ sequence: Int) -> Int {
        let done = min(max(0, sequence - first + 1), elements.count)
        elements.removeFirst(done)
        first += done
        return done
    }
}
