import RouterService

/// What Responses answers look like on the wire, and what they mean.
enum ResponsesGolden {
    static let answers: [GoldenAnswer] = [
        .init(
            name: "text with logprobs and an annotation", dialect: .openaiResponses,
            wire: .stream(
                #"""
                event: response.created
                data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","created_at":7,"status":"in_progress","output":[],"error":null,"service_tier":"auto"}}

                event: response.in_progress
                data: {"type":"response.in_progress","response":{"id":"resp_1","created_at":7,"status":"in_progress","output":[],"error":null}}

                event: response.output_item.added
                data: {"type":"response.output_item.added","output_index":0,"item":{"id":"m","type":"message","role":"assistant","content":[]}}

                event: response.content_part.added
                data: {"type":"response.content_part.added","output_index":0,"content_index":0,"part":{"type":"output_text","text":""}}

                event: response.output_text.delta
                data: {"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"Hel","logprobs":[{"token":"Hel","logprob":-1}]}

                event: response.output_text.delta
                data: {"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"lo"}

                event: response.output_text.annotation.added
                data: {"type":"response.output_text.annotation.added","output_index":0,"content_index":0,"annotation_index":0,"annotation":{"type":"url_citation","url":"u"}}

                event: response.output_text.done
                data: {"type":"response.output_text.done","output_index":0,"content_index":0,"text":"Hello"}

                event: response.output_item.done
                data: {"type":"response.output_item.done","output_index":0,"item":{"id":"m","type":"message","role":"assistant","content":[{"type":"output_text","text":"Hello","annotations":[]}]}}

                event: response.completed
                data: {"type":"response.completed","response":{"id":"resp_1","created_at":7,"status":"completed","output":[{"id":"m","type":"message","role":"assistant","content":[{"type":"output_text","text":"Hello","annotations":[]}]}],"error":null,"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":8,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":18},"service_tier":"default"}}


                """#),
            expected: #"""
                text Hel
                logprobs {"content":[{"token":"Hel","logprob":-1}]}
                text lo
                delta {"type":"response.output_text.annotation.added","output_index":0,"content_index":0,"annotation_index":0,"annotation":{"type":"url_citation","url":"u"}}
                finish stop completed
                usage in=10 out=8 cached=4 reasoning=5
                over, complete | resp_1 | 7 | default
                """#),
        .init(
            name: "reasoning with summary and encrypted content, then parallel calls", dialect: .openaiResponses,
            wire: .stream(
                #"""
                event: response.created
                data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","created_at":7,"status":"in_progress","output":[],"error":null,"service_tier":"auto"}}

                event: response.output_item.added
                data: {"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}

                event: response.reasoning_summary_part.added
                data: {"type":"response.reasoning_summary_part.added","output_index":0,"summary_index":0,"part":{}}

                event: response.reasoning_summary_text.delta
                data: {"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"One."}

                event: response.reasoning_summary_part.added
                data: {"type":"response.reasoning_summary_part.added","output_index":0,"summary_index":1,"part":{}}

                event: response.reasoning_summary_text.delta
                data: {"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"Two."}

                event: response.output_item.done
                data: {"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"One."},{"type":"summary_text","text":"Two."}],"encrypted_content":"enc"}}

                event: response.output_item.added
                data: {"type":"response.output_item.added","output_index":1,"item":{"id":"fc_1","type":"function_call","call_id":"call_a","name":"f","arguments":""}}

                event: response.function_call_arguments.delta
                data: {"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"x\":"}

                event: response.function_call_arguments.delta
                data: {"type":"response.function_call_arguments.delta","output_index":1,"delta":"1}"}

                event: response.function_call_arguments.done
                data: {"type":"response.function_call_arguments.done","output_index":1,"arguments":"{\"x\":1}"}

                event: response.output_item.done
                data: {"type":"response.output_item.done","output_index":1,"item":{"id":"fc_1","type":"function_call","call_id":"call_a","name":"f","arguments":"{\"x\":1}"}}

                event: response.output_item.added
                data: {"type":"response.output_item.added","output_index":2,"item":{"id":"fc_1","type":"function_call","call_id":"call_b","name":"g","arguments":""}}

                event: response.output_item.done
                data: {"type":"response.output_item.done","output_index":2,"item":{"id":"fc_1","type":"function_call","call_id":"call_b","name":"g","arguments":"{}"}}

                event: response.completed
                data: {"type":"response.completed","response":{"id":"resp_1","created_at":7,"status":"completed","output":[],"error":null,"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":8,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":18}}}


                """#),
            expected: #"""
                thinking One.
                thinking ⏎⏎
                thinking Two.
                signature enc rs_1
                call 0 call_a f
                arguments 0 {"x":
                arguments 0 1}
                call 1 call_b g
                arguments 1 {}
                finish toolCalls completed
                usage in=10 out=8 cached=4 reasoning=5
                over, complete | resp_1 | 7 | auto
                """#),
        .init(
            name: "a refusal", dialect: .openaiResponses,
            wire: .stream(
                #"""
                event: response.created
                data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","created_at":7,"status":"in_progress","output":[],"error":null,"service_tier":"auto"}}

                event: response.output_item.added
                data: {"type":"response.output_item.added","output_index":0,"item":{"id":"m","type":"message","role":"assistant","content":[]}}

                event: response.refusal.delta
                data: {"type":"response.refusal.delta","output_index":0,"content_index":0,"delta":"No."}

                event: response.output_item.done
                data: {"type":"response.output_item.done","output_index":0,"item":{"id":"m","type":"message","role":"assistant","content":[{"type":"refusal","refusal":"No."}]}}

                event: response.completed
                data: {"type":"response.completed","response":{"id":"resp_1","created_at":7,"status":"completed","output":[],"error":null,"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":8,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":18}}}


                """#),
            expected: #"""
                refusal No.
                finish stop completed
                usage in=10 out=8 cached=4 reasoning=5
                over, complete | resp_1 | 7 | auto
                """#),
        .init(
            name: "an item the canonical form does not model", dialect: .openaiResponses,
            wire: .stream(
                #"""
                event: response.created
                data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","created_at":7,"status":"in_progress","output":[],"error":null,"service_tier":"auto"}}

                event: response.output_item.added
                data: {"type":"response.output_item.added","output_index":0,"item":{"id":"ws","type":"web_search_call","status":"in_progress"}}

                event: response.web_search_call.searching
                data: {"type":"response.web_search_call.searching","output_index":0,"item_id":"ws"}

                event: response.output_item.done
                data: {"type":"response.output_item.done","output_index":0,"item":{"id":"ws","type":"web_search_call","status":"completed"}}

                event: response.completed
                data: {"type":"response.completed","response":{"id":"resp_1","created_at":7,"status":"completed","output":[],"error":null,"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":8,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":18}}}


                """#),
            expected: #"""
                block {"id":"ws","type":"web_search_call","status":"in_progress"}
                delta {"type":"response.web_search_call.searching","output_index":0,"item_id":"ws"}
                delta {"type":"response.output_item.done","output_index":0,"item":{"id":"ws","type":"web_search_call","status":"completed"}}
                finish stop completed
                usage in=10 out=8 cached=4 reasoning=5
                over, complete | resp_1 | 7 | auto
                """#),
        .init(
            name: "ended by the limit", dialect: .openaiResponses,
            wire: .stream(
                #"""
                event: response.created
                data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","created_at":7,"status":"in_progress","output":[],"error":null,"service_tier":"auto"}}

                event: response.output_item.added
                data: {"type":"response.output_item.added","output_index":0,"item":{"id":"m","type":"message","role":"assistant","content":[]}}

                event: response.output_text.delta
                data: {"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"Hal"}

                event: response.incomplete
                data: {"type":"response.incomplete","response":{"id":"resp_1","created_at":7,"status":"incomplete","output":[],"error":null,"incomplete_details":{"reason":"max_output_tokens"},"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":8,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":18}}}


                """#),
            expected: #"""
                text Hal
                finish length max_output_tokens
                usage in=10 out=8 cached=4 reasoning=5
                over, complete | resp_1 | 7 | auto
                """#),
        .init(
            name: "ended by the filter", dialect: .openaiResponses,
            wire: .stream(
                #"""
                event: response.created
                data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","created_at":7,"status":"in_progress","output":[],"error":null,"service_tier":"auto"}}

                event: response.incomplete
                data: {"type":"response.incomplete","response":{"id":"resp_1","created_at":7,"status":"incomplete","output":[],"error":null,"incomplete_details":{"reason":"content_filter"}}}


                """#),
            expected: #"""
                finish contentFilter content_filter
                over, complete | resp_1 | 7 | auto
                """#),
        .init(
            name: "a failed response", dialect: .openaiResponses,
            wire: .stream(
                #"""
                event: response.created
                data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","created_at":7,"status":"in_progress","output":[],"error":null,"service_tier":"auto"}}

                event: response.output_item.added
                data: {"type":"response.output_item.added","output_index":0,"item":{"id":"m","type":"message","role":"assistant","content":[]}}

                event: response.output_text.delta
                data: {"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"Hal"}

                event: response.failed
                data: {"type":"response.failed","response":{"id":"resp_1","created_at":7,"status":"failed","output":[],"error":{"code":"rate_limit_exceeded","message":"Slow down"}}}


                """#),
            expected: #"""
                text Hal
                fault: provider 429 rate_limit_exceeded: Slow down | resp_1 | 7 | auto
                """#),
        .init(
            name: "an error event", dialect: .openaiResponses,
            wire: .stream(
                #"""
                event: response.created
                data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","created_at":7,"status":"in_progress","output":[],"error":null,"service_tier":"auto"}}

                event: error
                data: {"type":"error","code":"context_length_exceeded","message":"Your input exceeds the context window of this model.","param":null}


                """#),
            expected: #"""
                fault: provider 400 context_length_exceeded: Your input exceeds the context window of this model. | resp_1 | 7 | auto
                """#),
        .init(
            name: "items that only the last event tells of", dialect: .openaiResponses,
            wire: .stream(
                #"""
                event: response.created
                data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","created_at":7,"status":"in_progress","output":[],"error":null,"service_tier":"auto"}}

                event: response.completed
                data: {"type":"response.completed","response":{"id":"resp_1","created_at":7,"status":"completed","output":[{"id":"m","type":"message","role":"assistant","content":[{"type":"output_text","text":"Hi","annotations":[]}]},{"id":"fc_1","type":"function_call","call_id":"call_a","name":"f","arguments":"{}"}],"error":null,"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":8,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":18}}}


                """#),
            expected: #"""
                text Hi
                call 0 call_a f
                arguments 0 {}
                finish toolCalls completed
                usage in=10 out=8 cached=4 reasoning=5
                over, complete | resp_1 | 7 | auto
                """#),
        .init(
            name: "a delta of an item that is not open", dialect: .openaiResponses,
            wire: .stream(
                #"""
                event: response.created
                data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","created_at":7,"status":"in_progress","output":[],"error":null,"service_tier":"auto"}}

                event: response.output_text.delta
                data: {"type":"response.output_text.delta","item_id":"m","output_index":3,"content_index":0,"delta":"x"}


                """#),
            expected: #"""
                fault: malformed, sent a delta of an output item that is not open | resp_1 | 7 | auto
                """#),
        .init(
            name: "an item announced twice", dialect: .openaiResponses,
            wire: .stream(
                #"""
                event: response.created
                data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","created_at":7,"status":"in_progress","output":[],"error":null,"service_tier":"auto"}}

                event: response.output_item.added
                data: {"type":"response.output_item.added","output_index":0,"item":{"id":"m","type":"message","role":"assistant","content":[]}}

                event: response.output_item.added
                data: {"type":"response.output_item.added","output_index":0,"item":{"id":"m","type":"message","role":"assistant","content":[]}}


                """#),
            expected: #"""
                fault: malformed, began an output item twice | resp_1 | 7 | auto
                """#),
        .init(
            name: "an end without a status", dialect: .openaiResponses,
            wire: .stream(
                #"""
                event: response.created
                data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","created_at":7,"status":"in_progress","output":[],"error":null,"service_tier":"auto"}}

                event: response.completed
                data: {"type":"response.completed","response":{}}


                """#),
            expected: #"""
                fault: malformed, ended its answer without a status | resp_1 | 7 | auto
                """#),
        .init(
            name: "a whole answer", dialect: .openaiResponses,
            wire: .whole(
                #"""
                {"id":"resp_1","created_at":7,"status":"completed","output":[{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"enc"},{"id":"m","type":"message","role":"assistant","content":[{"type":"output_text","text":"Hi","annotations":[{"type":"url_citation","url":"u"}],"logprobs":[{"token":"Hi","logprob":-1}]}]},{"id":"fc_1","type":"function_call","call_id":"call_a","name":"f","arguments":"{\"x\":1}"},{"type":"mcp_call","id":"x"}],"error":null,"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":8,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":18}}
                """#),
            expected: #"""
                thinking hm
                signature enc rs_1
                text Hi
                logprobs {"content":[{"token":"Hi","logprob":-1}]}
                delta {"type":"response.output_text.annotation.added","annotation_index":0,"annotation":{"type":"url_citation","url":"u"}}
                call 0 call_a f
                arguments 0 {"x":1}
                block {"type":"mcp_call","id":"x"}
                finish toolCalls completed
                usage in=10 out=8 cached=4 reasoning=5
                over, complete | resp_1 | 7
                """#),
        .init(
            name: "a whole answer that failed", dialect: .openaiResponses,
            wire: .whole(
                #"""
                {"id":"resp_1","created_at":7,"status":"failed","output":[],"error":{"code":"server_error","message":"Sorry"}}
                """#),
            expected: #"""
                fault: provider 500 server_error: Sorry
                """#),
        .init(
            name: "an error with status 200", dialect: .openaiResponses,
            wire: .whole(
                #"""
                {"error":{"message":"no","type":"invalid_request_error","code":"insufficient_quota"}}
                """#),
            expected: #"""
                fault: provider 429 insufficient_quota: no
                """#),
        .init(
            name: "a document that is no response", dialect: .openaiResponses,
            wire: .whole(
                #"""
                {"id":"x","object":"list"}
                """#),
            expected: #"""
                fault: malformed, answered 200 without an answer
                """#),
    ]
}
