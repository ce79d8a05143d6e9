/// First in, first out, with a bound. At the bound `push` refuses and the caller answers for it; nothing is dropped silently.
package struct BoundedQueue<Element> {
    /// Elements held at most.
    package let capacity: Int
    private var items: [Element?] = []
    private var head = 0

    /// - Parameter capacity: at least 1.
    package init(capacity: Int) {
        precondition(capacity > 0, "bug: a queue of capacity \(capacity) holds nothing")
        self.capacity = capacity
    }

    /// How many wait.
    package var count: Int { items.count - head }
    /// Whether nothing waits.
    package var isEmpty: Bool { count == 0 }

    /// - Returns: false when the queue is full; the element was not taken.
    package mutating func push(_ element: Element) -> Bool {
        guard count < capacity else { return false }
        items.append(element)
        return true
    }

    /// The oldest element, or nil.
    package mutating func pop() -> Element? {
        guard head < items.count else { return nil }
        let element = items[head].take()
        head += 1
        // Compacts when half is spent, so that a push or pop costs a constant on average.
        if head * 2 >= items.count {
            items.removeFirst(head)
            head = 0
        }
        return element
    }

    /// Takes out all elements that satisfy `condition`, in order.
    package mutating func remove(where condition: (Element) -> Bool) -> [Element] {
        let all = items[head...].compactMap { $0 }
        head = 0
        items = all.filter { !condition($0) }
        return all.filter(condition)
    }
}

extension BoundedQueue: Sendable where Element: Sendable {}
