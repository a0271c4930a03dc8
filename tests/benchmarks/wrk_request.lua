-- One request with a method and a body, again and again: -- METHOD BODY
function init(args)
  wrk.method = args[1]
  wrk.body = args[2]
  wrk.headers["Content-Type"] = "application/json"
end

dofile("tests/benchmarks/wrk_report.lua")
