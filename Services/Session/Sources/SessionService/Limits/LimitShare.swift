/// What of each limit this process may give when it decides alone: one part of as many as there are suites.
package struct LimitShare: Sendable, Equatable {
    package var suites: Int
    /// Grows with every time the shared store went away; 0: nothing is divided.
    package var epoch: Int

    package init(suites: Int, epoch: Int) {
        self.suites = max(1, suites)
        self.epoch = epoch
    }

    package static let whole = LimitShare(suites: 1, epoch: 0)

    func part(_ most: Int) -> Int { suites == 1 ? most : max(1, most / suites) }
}
