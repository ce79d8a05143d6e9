import RouterService

/// What Anthropic answers look like on the wire, and what they mean.
enum AnthropicGolden {
    static let answers: [GoldenAnswer] = [
        .init(
            name: "text between pings, with a stop sequence and details of usage", dialect: .anthropic,
            wire: .stream(
                #"""
                event: message_start
                data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"output_tokens":1,"service_tier":"standard"}}}

                event: content_block_start
                data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

                event: ping
                data: {"type":"ping"}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}

                event: content_block_stop
                data: {"type":"content_block_stop","index":0}

                event: message_delta
                data: {"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"END"},"usage":{"output_tokens":9}}

                event: message_stop
                data: {"type":"message_stop"}


                """#),
            expected: #"""
                text Hel
                text lo
                finish stop stop_sequence END
                usage in=17 out=9 cached=3 written=4 hour=3
                over, complete | msg_1 | standard
                """#),
        .init(
            name: "reasoning with signature, withheld reasoning, then text", dialect: .anthropic,
            wire: .stream(
                #"""
                event: message_start
                data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"output_tokens":1,"service_tier":"standard"}}}

                event: content_block_start
                data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}

                event: content_block_stop
                data: {"type":"content_block_stop","index":0}

                event: content_block_start
                data: {"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"blob"}}

                event: content_block_stop
                data: {"type":"content_block_stop","index":1}

                event: content_block_start
                data: {"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"Hi"}}

                event: content_block_stop
                data: {"type":"content_block_stop","index":2}

                event: message_delta
                data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":9}}

                event: message_stop
                data: {"type":"message_stop"}


                """#),
            expected: #"""
                thinking hm
                signature sig
                redacted blob
                text Hi
                finish stop end_turn
                usage in=17 out=9 cached=3 written=4 hour=3
                over, complete | msg_1 | standard
                """#),
        .init(
            name: "parallel calls, one without arguments", dialect: .anthropic,
            wire: .stream(
                #"""
                event: message_start
                data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"output_tokens":1,"service_tier":"standard"}}}

                event: content_block_start
                data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_a","name":"f","input":{}}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":""}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"x\""}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":":1}"}}

                event: content_block_stop
                data: {"type":"content_block_stop","index":0}

                event: content_block_start
                data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_b","name":"g","input":{}}}

                event: content_block_stop
                data: {"type":"content_block_stop","index":1}

                event: message_delta
                data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}

                event: message_stop
                data: {"type":"message_stop"}


                """#),
            expected: #"""
                call 0 toolu_a f
                arguments 0 {"x"
                arguments 0 :1}
                call 1 toolu_b g
                arguments 1 {}
                finish toolCalls tool_use
                usage in=17 out=9 cached=3 written=4 hour=3
                over, complete | msg_1 | standard
                """#),
        .init(
            name: "blocks of the provider's own tools, citations and pause_turn", dialect: .anthropic,
            wire: .stream(
                #"""
                event: message_start
                data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"output_tokens":1,"service_tier":"standard"}}}

                event: content_block_start
                data: {"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"srv_1","name":"web_search","input":{}}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"query\":\"x\"}"}}

                event: content_block_stop
                data: {"type":"content_block_stop","index":0}

                event: content_block_start
                data: {"type":"content_block_start","index":1,"content_block":{"type":"web_search_tool_result","tool_use_id":"srv_1","content":[]}}

                event: content_block_stop
                data: {"type":"content_block_stop","index":1}

                event: content_block_start
                data: {"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"So."}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"url":"u"}}}

                event: content_block_stop
                data: {"type":"content_block_stop","index":2}

                event: message_delta
                data: {"type":"message_delta","delta":{"stop_reason":"pause_turn","stop_sequence":null},"usage":{"output_tokens":9}}

                event: message_stop
                data: {"type":"message_stop"}


                """#),
            expected: #"""
                block {"type":"server_tool_use","id":"srv_1","name":"web_search","input":{}}
                delta {"type":"input_json_delta","partial_json":"{\"query\":\"x\"}"}
                block {"type":"web_search_tool_result","tool_use_id":"srv_1","content":[]}
                text So.
                delta {"type":"citations_delta","citation":{"url":"u"}}
                finish pause pause_turn
                usage in=17 out=9 cached=3 written=4 hour=3
                over, complete | msg_1 | standard
                """#),
        .init(
            name: "an overloaded provider in mid-stream", dialect: .anthropic,
            wire: .stream(
                #"""
                event: message_start
                data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"output_tokens":1,"service_tier":"standard"}}}

                event: content_block_start
                data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hal"}}

                event: error
                data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}


                """#),
            expected: #"""
                text Hal
                usage in=17 out=1 cached=3 written=4 hour=3
                fault: provider 529 overloaded_error: Overloaded | msg_1 | standard
                """#),
        .init(
            name: "message_start twice before any content", dialect: .anthropic,
            wire: .stream(
                #"""
                event: message_start
                data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"output_tokens":1,"service_tier":"standard"}}}

                event: message_start
                data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"output_tokens":1,"service_tier":"standard"}}}

                event: content_block_start
                data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}

                event: content_block_stop
                data: {"type":"content_block_stop","index":0}

                event: message_delta
                data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":9}}

                event: message_stop
                data: {"type":"message_stop"}


                """#),
            expected: #"""
                text a
                finish stop end_turn
                usage in=17 out=9 cached=3 written=4 hour=3
                over, complete | msg_1 | standard
                """#),
        .init(
            name: "message_start again in mid-answer", dialect: .anthropic,
            wire: .stream(
                #"""
                event: message_start
                data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"output_tokens":1,"service_tier":"standard"}}}

                event: content_block_start
                data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}

                event: message_start
                data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"output_tokens":1,"service_tier":"standard"}}}


                """#),
            expected: #"""
                text a
                usage in=17 out=1 cached=3 written=4 hour=3
                fault: malformed, began its answer twice | msg_1 | standard
                """#),
        .init(
            name: "a delta of a block that is not open", dialect: .anthropic,
            wire: .stream(
                #"""
                event: message_start
                data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"output_tokens":1,"service_tier":"standard"}}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}


                """#),
            expected: #"""
                usage in=17 out=1 cached=3 written=4 hour=3
                fault: malformed, sent a delta of a content block that is not open | msg_1 | standard
                """#),
        .init(
            name: "a delta that does not fit its block", dialect: .anthropic,
            wire: .stream(
                #"""
                event: message_start
                data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"output_tokens":1,"service_tier":"standard"}}}

                event: content_block_start
                data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}


                """#),
            expected: #"""
                usage in=17 out=1 cached=3 written=4 hour=3
                fault: malformed, sent a delta that does not fit its content block | msg_1 | standard
                """#),
        .init(
            name: "an index that cannot be", dialect: .anthropic,
            wire: .stream(
                #"""
                event: message_start
                data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"output_tokens":1,"service_tier":"standard"}}}

                event: content_block_start
                data: {"type":"content_block_start","index":-1,"content_block":{"type":"text","text":""}}


                """#),
            expected: #"""
                usage in=17 out=1 cached=3 written=4 hour=3
                fault: malformed, sent a content block with an index that cannot be | msg_1 | standard
                """#),
        .init(
            name: "no stop reason before message_stop", dialect: .anthropic,
            wire: .stream(
                #"""
                event: message_start
                data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"output_tokens":1,"service_tier":"standard"}}}

                event: content_block_start
                data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}

                event: content_block_stop
                data: {"type":"content_block_stop","index":0}

                event: message_stop
                data: {"type":"message_stop"}


                """#),
            expected: #"""
                text a
                usage in=17 out=1 cached=3 written=4 hour=3
                over, incomplete | msg_1 | standard
                """#),
        .init(
            name: "the limit, without message_stop", dialect: .anthropic,
            wire: .stream(
                #"""
                event: message_start
                data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"output_tokens":1,"service_tier":"standard"}}}

                event: content_block_start
                data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}

                event: message_delta
                data: {"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"output_tokens":9}}


                """#),
            expected: #"""
                text a
                finish length max_tokens
                usage in=17 out=9 cached=3 written=4 hour=3
                complete | msg_1 | standard
                """#),
        .init(
            name: "a refusal", dialect: .anthropic,
            wire: .stream(
                #"""
                event: message_start
                data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"output_tokens":1,"service_tier":"standard"}}}

                event: message_delta
                data: {"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null},"usage":{"output_tokens":2}}

                event: message_stop
                data: {"type":"message_stop"}


                """#),
            expected: #"""
                finish contentFilter refusal
                usage in=17 out=2 cached=3 written=4 hour=3
                over, complete | msg_1 | standard
                """#),
        .init(
            name: "a whole answer with everything", dialect: .anthropic,
            wire: .whole(
                #"""
                {"id":"msg_1","type":"message","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"redacted_thinking","data":"blob"},{"type":"text","text":"So.","citations":[{"type":"char_location","cited_text":"x"}]},{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"x"}},{"type":"tool_use","id":"toolu_a","name":"f","input":{"x":1}},{"type":"tool_use","id":"toolu_b","name":"g","input":{}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":6}}
                """#),
            expected: #"""
                thinking hm
                signature sig
                redacted blob
                text So.
                delta {"type":"citations_delta","citation":{"type":"char_location","cited_text":"x"}}
                block {"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"x"}}
                call 0 toolu_a f
                arguments 0 {"x":1}
                call 1 toolu_b g
                arguments 1 {}
                finish toolCalls tool_use
                usage in=5 out=6
                over, complete | msg_1
                """#),
        .init(
            name: "an error with status 200", dialect: .anthropic,
            wire: .whole(
                #"""
                {"type":"error","error":{"type":"rate_limit_error","message":"Slow down"},"request_id":"r"}
                """#),
            expected: #"""
                fault: provider 429 rate_limit_error: Slow down
                """#),
        .init(
            name: "content missing", dialect: .anthropic,
            wire: .whole(
                #"""
                {"id":"msg_1","type":"message"}
                """#),
            expected: #"""
                fault: malformed, answered 200 without an answer
                """#),
    ]
}
