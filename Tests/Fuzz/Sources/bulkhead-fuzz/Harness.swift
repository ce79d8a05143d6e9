import BulkheadIPC

// The checks are compiled into unit tests too, which have these as sources of their own.

typealias InputBytes = BulkheadIPC.InputBytes
typealias Finding = BulkheadIPC.Finding

func promise(_ holds: Bool, _ what: @autoclosure () -> String) throws(Finding) {
    try BulkheadIPC.promise(holds, what())
}
