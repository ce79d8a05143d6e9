import BulkheadAPI

/// The tool calls of one choice while they arrive: the provider's places (whatever they are) become indexes without gaps, and
/// a call that came without arguments gets the empty object.
package struct ToolCalls: Sendable, Equatable {
    private struct Call: Sendable, Equatable {
        var index: Int
        var hasArguments = false
        var isOpen = true
    }

    private let choice: Int
    /// The last call at each place.
    private var calls: [Int: Call] = [:]
    package private(set) var count = 0

    package init(choice: Int = 0) { self.choice = choice }

    package var isEmpty: Bool { count == 0 }

    package func contains(_ place: Int) -> Bool { calls[place] != nil }
    package func hasArguments(_ place: Int) -> Bool { calls[place]?.hasArguments ?? false }

    /// Begins the call at `place`; one that is there already is over: some servers give all their blocks one place.
    /// - Returns: its index. - Throws: when there are too many.
    @discardableResult
    package mutating func begin(
        _ place: Int, id: String, name: String, into events: inout [ChatAPI.ChatEvent]
    ) throws(DecodeFault) -> Int {
        end(place, into: &events)
        calls[place] = nil
        let index = try reserve(place)
        calls[place]?.isOpen = true
        events.append(.init(kind: .toolCall, choice: choice, toolIndex: index, id: id, name: name))
        return index
    }

    /// Gives `place` an index without an event: a call the canonical form does not model.
    package mutating func reserve(_ place: Int) throws(DecodeFault) -> Int {
        if let known = calls[place] { return known.index }
        guard count < DecodeBounds.tools else { throw .malformed("made more than \(DecodeBounds.tools) tool calls") }
        calls[place] = Call(index: count, isOpen: false)
        count += 1
        return count - 1
    }

    /// A fragment of the arguments of the call at `place`. - Throws: when no such call is open.
    package mutating func extend(_ place: Int, _ text: String, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        guard var call = calls[place], call.isOpen else { throw .malformed("sent arguments of a tool call that is not open") }
        if text.isEmpty { return }
        call.hasArguments = true
        calls[place] = call
        events.append(.init(kind: .toolArguments, choice: choice, text: text, toolIndex: call.index))
    }

    /// The call at `place`, if there is one, is complete.
    package mutating func end(_ place: Int, into events: inout [ChatAPI.ChatEvent]) {
        guard var call = calls[place], call.isOpen else { return }
        if !call.hasArguments { events.append(.init(kind: .toolArguments, choice: choice, text: "{}", toolIndex: call.index)) }
        call.isOpen = false
        calls[place] = call
    }

    /// All calls are complete.
    package mutating func endAll(into events: inout [ChatAPI.ChatEvent]) {
        for (place, _) in calls.sorted(by: { $0.value.index < $1.value.index }) { end(place, into: &events) }
    }
}
