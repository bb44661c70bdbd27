// A password link carries its code behind the "#", which browsers send to no server, so that no log has it.
const code = document.getElementById("id_code");
if (window.location.hash.length > 1) {
  code.value = window.location.hash.slice(1);
  window.history.replaceState(null, "", window.location.pathname);
  code.form.submit();
}
