// The code stands behind the hash of the link: it was never sent anywhere. It is put into the form, and taken out of
// the address before anybody can copy it from there.
const code = document.getElementById("code");
if (code && location.hash.length > 1) {
  code.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
  document.querySelector("button.main")?.focus();
} else {
  code?.focus();
}
