/* What functions of Python's C API do with references, in words that gcc's analyzer understands.
 *
 * Included after Python.h. A new reference is memory that has to be freed, by Py_DECREF; that is all gcc has to know to find references
 * that get lost, and results that are used without asking whether they are NULL. Functions that only borrow their arguments have no body that
 * gcc could lose the reference in. A function that is not here is one that may keep what it gets: then gcc says nothing.
 */
#ifndef REFERENCES_H
#define REFERENCES_H

void taskbot_decref(void *) __attribute__((nonnull));
void taskbot_xdecref(void *);
void taskbot_incref(void *);
int taskbot_any(void);
PyObject *taskbot_new(void) __attribute__((malloc(taskbot_decref, 1), malloc(taskbot_xdecref, 1)));
static __attribute__((noinline, nonnull, unused)) int taskbot_borrow(void *one) { (void)one; return taskbot_any(); }

#undef Py_DECREF
#undef Py_XDECREF
#undef Py_CLEAR
#undef Py_INCREF
#undef Py_XINCREF
#define Py_DECREF(o) taskbot_decref((void *)(o))
#define Py_XDECREF(o) taskbot_xdecref((void *)(o))
#define Py_CLEAR(o) do { taskbot_xdecref((void *)(o)); (o) = NULL; } while (0)
#define Py_INCREF(o) taskbot_incref((void *)(o))
#define Py_XINCREF(o) taskbot_incref((void *)(o))

/* gives a new reference; its arguments are values, or borrowed */
#define REFERENCE_NEW() (taskbot_new())
#define REFERENCE_NEW1(a) (taskbot_borrow((void *)(a)), taskbot_new())
#define REFERENCE_NEW2(a, b) (taskbot_borrow((void *)(a)), taskbot_borrow((void *)(b)), taskbot_new())
/* borrows its arguments, gives a number */
#define REFERENCE_BORROW1(a) (taskbot_borrow((void *)(a)))
#define REFERENCE_BORROW2(a, b) (taskbot_borrow((void *)(a)), taskbot_borrow((void *)(b)))

#undef PyLong_FromLong
#undef PyLong_FromUnsignedLong
#undef PyLong_FromLongLong
#undef PyLong_FromSsize_t
#undef PyLong_FromSize_t
#undef PyLong_FromDouble
#undef PyFloat_FromDouble
#undef PyBool_FromLong
#undef PyUnicode_FromString
#undef PyUnicode_FromStringAndSize
#undef PyBytes_FromString
#undef PyBytes_FromStringAndSize
#undef PyList_New
#undef PyTuple_New
#undef PyDict_New
#undef PySet_New
#define PyLong_FromLong(v) ((void)(v), REFERENCE_NEW())
#define PyLong_FromUnsignedLong(v) ((void)(v), REFERENCE_NEW())
#define PyLong_FromLongLong(v) ((void)(v), REFERENCE_NEW())
#define PyLong_FromSsize_t(v) ((void)(v), REFERENCE_NEW())
#define PyLong_FromSize_t(v) ((void)(v), REFERENCE_NEW())
#define PyLong_FromDouble(v) ((void)(v), REFERENCE_NEW())
#define PyFloat_FromDouble(v) ((void)(v), REFERENCE_NEW())
#define PyUnicode_FromString(s) REFERENCE_NEW1(s)
#define PyUnicode_FromStringAndSize(s, n) ((void)(s), (void)(n), REFERENCE_NEW())
#define PyBytes_FromString(s) REFERENCE_NEW1(s)
#define PyBytes_FromStringAndSize(s, n) ((void)(s), (void)(n), REFERENCE_NEW())
#define PyList_New(n) ((void)(n), REFERENCE_NEW())
#define PyTuple_New(n) ((void)(n), REFERENCE_NEW())
#define PyDict_New() REFERENCE_NEW()
#define PySet_New(i) ((void)(i), REFERENCE_NEW())

#undef PyObject_Str
#undef PyObject_Repr
#undef PyObject_GetAttr
#undef PyObject_GetAttrString
#undef PyObject_GetItem
#undef PyObject_GetIter
#undef PySequence_GetItem
#undef PySequence_List
#undef PySequence_Tuple
#undef PyDict_Keys
#undef PyDict_Values
#undef PyDict_Items
#undef PyDict_Copy
#undef PyList_AsTuple
#undef PyNumber_Add
#undef PyNumber_Subtract
#undef PyNumber_Multiply
#undef PyUnicode_Concat
#undef PyUnicode_AsUTF8String
#undef PyImport_ImportModule
#define PyObject_Str(o) REFERENCE_NEW1(o)
#define PyObject_Repr(o) REFERENCE_NEW1(o)
#define PyObject_GetAttr(o, n) REFERENCE_NEW2(o, n)
#define PyObject_GetAttrString(o, n) REFERENCE_NEW2(o, n)
#define PyObject_GetItem(o, k) REFERENCE_NEW2(o, k)
#define PyObject_GetIter(o) REFERENCE_NEW1(o)
#define PySequence_GetItem(o, i) ((void)(i), REFERENCE_NEW1(o))
#define PySequence_List(o) REFERENCE_NEW1(o)
#define PySequence_Tuple(o) REFERENCE_NEW1(o)
#define PyDict_Keys(o) REFERENCE_NEW1(o)
#define PyDict_Values(o) REFERENCE_NEW1(o)
#define PyDict_Items(o) REFERENCE_NEW1(o)
#define PyDict_Copy(o) REFERENCE_NEW1(o)
#define PyList_AsTuple(o) REFERENCE_NEW1(o)
#define PyNumber_Add(a, b) REFERENCE_NEW2(a, b)
#define PyNumber_Subtract(a, b) REFERENCE_NEW2(a, b)
#define PyNumber_Multiply(a, b) REFERENCE_NEW2(a, b)
#define PyUnicode_Concat(a, b) REFERENCE_NEW2(a, b)
#define PyUnicode_AsUTF8String(o) REFERENCE_NEW1(o)
#define PyImport_ImportModule(n) REFERENCE_NEW1(n)

#undef PyList_Append
#undef PyList_Insert
#undef PyDict_SetItem
#undef PyDict_SetItemString
#undef PySet_Add
#undef PyObject_SetAttr
#undef PyObject_SetAttrString
#undef PyObject_SetItem
#undef PyObject_IsTrue
#undef PyObject_Length
#undef PyObject_Size
#undef PyModule_AddObjectRef
#define PyList_Append(l, o) REFERENCE_BORROW2(l, o)
#define PyList_Insert(l, i, o) ((void)(i), REFERENCE_BORROW2(l, o))
#define PyDict_SetItem(d, k, v) (taskbot_borrow((void *)(d)), REFERENCE_BORROW2(k, v))
#define PyDict_SetItemString(d, k, v) (taskbot_borrow((void *)(d)), REFERENCE_BORROW2(k, v))
#define PySet_Add(s, o) REFERENCE_BORROW2(s, o)
#define PyObject_SetAttr(o, n, v) (taskbot_borrow((void *)(o)), REFERENCE_BORROW2(n, v))
#define PyObject_SetAttrString(o, n, v) (taskbot_borrow((void *)(o)), REFERENCE_BORROW2(n, v))
#define PyObject_SetItem(o, k, v) (taskbot_borrow((void *)(o)), REFERENCE_BORROW2(k, v))
#define PyObject_IsTrue(o) REFERENCE_BORROW1(o)
#define PyObject_Length(o) REFERENCE_BORROW1(o)
#define PyObject_Size(o) REFERENCE_BORROW1(o)
#define PyModule_AddObjectRef(m, n, v) (taskbot_borrow((void *)(m)), REFERENCE_BORROW2(n, v))

#endif
