-- Asks for ranges at random offsets. Arguments behind "--": the file's size, the ranges' length.
dofile("tests/benchmarks/wrk_report.lua")

local size, length

function init(args)
  size, length = tonumber(args[1]), tonumber(args[2])
  math.randomseed(8085)
end

function request()
  local first = math.random(0, size - length)
  wrk.headers["Range"] = string.format("bytes=%d-%d", first, first + length - 1)
  return wrk.format()
end
