// The routes below /api/v1: answers without their envelope, refusals as errors.

export const GONE = "The server does not answer. Is it running?";
export const SIGN_IN = "Sign in first: this library asks for it.";

async function answered(path, options) {
  let response;
  try {
    response = await fetch(`/api/v1${path}`, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error(GONE);
  }
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body.data;
  if (response.status === 401) {
    document.getElementById("sign-in").hidden = false;
    throw new Error(SIGN_IN);
  }
  throw new Error(body.message ?? `The server answered ${response.status}.`);
}

export const ask = (path, options = {}) => answered(path, options);

export const send = (path, body, method = "POST") =>
  answered(path, {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
