/// Everything counted of one subject. Touched under the lock of `LocalLimits` only.
final class SubjectBook: @unchecked Sendable {
    var requests = RateMeter()
    var tokens = TokenMeter()
    var places = PlaceBook()
    /// A handful: one for each length of window.
    var budgets: [(window: Int64, book: BudgetBook)] = []
    private var epoch = 0

    /// Levels become a share's when this process begins to decide alone.
    func enter(_ share: LimitShare) {
        guard share.epoch != epoch else { return }
        epoch = share.epoch
        guard epoch != 0 else { return }
        requests.spent /= Double(share.suites)
        tokens.meter.spent /= Double(share.suites)
        for index in budgets.indices { budgets[index].book.rebase() }
    }

    func budget(_ window: Int64) -> Int {
        if let known = budgets.firstIndex(where: { $0.window == window }) { return known }
        budgets.append((window, BudgetBook()))
        return budgets.count - 1
    }
}
